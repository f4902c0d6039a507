/** A complete root, as this process knows it. */
export interface IndexedRoot {
  /** The manifest digest's 64 hexadecimal digits. */
  readonly hex: string;
  readonly reference: string;
  readonly diffIds: readonly string[];
  /** Of all its files, those shared with other images included. */
  readonly sizeBytes: number;
  /** Directories and symbolic links, which are this root's alone. */
  readonly inodes: number;
  lastUsedMs: number;
  /** Users that this process knows; others hold the kernel's lock. */
  leases: number;
  /** Set while its eviction is being tried; settles with the outcome. */
  evicting: Promise<boolean> | undefined;
}

/** The complete roots of a store. */
export class RootIndex {
  readonly #roots = new Map<string, IndexedRoot>();

  get(hex: string): IndexedRoot | undefined {
    return this.#roots.get(hex);
  }

  add(root: Omit<IndexedRoot, "leases" | "evicting">): IndexedRoot {
    const indexed = { ...root, leases: 0, evicting: undefined };
    this.#roots.set(root.hex, indexed);
    return indexed;
  }

  remove(hex: string): void {
    this.#roots.delete(hex);
  }

  all(): readonly IndexedRoot[] {
    return [...this.#roots.values()];
  }

  /** Whether any root is made of the layer. */
  uses(diffId: string): boolean {
    return this.all().some((root) => root.diffIds.includes(diffId));
  }

  /** Roots without leases of this process, longest unused first. */
  idle(): readonly IndexedRoot[] {
    return this.all()
      .filter((root) => root.leases === 0 && root.evicting === undefined)
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  }
}
