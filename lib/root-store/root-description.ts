/**
 * What image.json tells of a root. Its presence means that the root is
 * complete; what it says is for people, and for the budget.
 */
export interface RootDescription {
  /** The name under which the image was first acquired. */
  readonly reference: string;
  /** Lowest first. */
  readonly diffIds: readonly string[];
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  /** Of all files, those that share an inode with another image included. */
  readonly sizeBytes: number;
  /** The image's config, as it was in the registry. */
  readonly config?: unknown;
}

/** The text of image.json. */
export function encodeRootDescription(description: RootDescription): string {
  return `${JSON.stringify(description)}\n`;
}
