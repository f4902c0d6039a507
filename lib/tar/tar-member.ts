/** What a member of an archive is. */
export type TarMemberType =
  | "file"
  | "hardLink"
  | "symlink"
  | "device"
  | "directory"
  | "fifo";

/** One member, all its headers taken together. Strings are byte strings. */
export interface TarMember {
  readonly type: TarMemberType;
  /** As the archive has it: it may be absolute, empty, or hold "..". */
  readonly name: string;
  /** Where a link leads; "" for all else. */
  readonly linkName: string;
  readonly mode: number;
  /** Whole seconds, rounded down; may be negative. */
  readonly mtimeSeconds: number;
  /** Of a file's content, holes included; 0 for all else. */
  readonly sizeBytes: number;
  /** How many extended attributes it has. */
  readonly xattrs: number;
}

/**
 * Receives what an archive holds, in its order: each member, then, for a file
 * only, its content and its end. A promise that is returned is awaited before
 * the next call.
 */
export interface TarHandler {
  member(member: TarMember): void | Promise<void>;
  /** Never empty; valid until the call returns or its promise is settled. */
  data(chunk: Buffer): void | Promise<void>;
  end(): void | Promise<void>;
}
