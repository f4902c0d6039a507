/**
 * A path for Node's file functions: text where that is exact, bytes where a
 * name of an image is not ASCII, since names are byte strings and Node would
 * write text as UTF-8.
 */
export type DiskPath = string | Buffer;

/** The path of an entry of a directory; `name` is a byte string (latin1). */
export function entryPath(directory: DiskPath, name: string): DiskPath {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: any ASCII byte
  if (typeof directory === "string" && /^[\x01-\x7f]*$/.test(name)) {
    return `${directory}/${name}`;
  }
  return Buffer.concat([
    typeof directory === "string" ? Buffer.from(directory) : directory,
    Buffer.from(`/${name}`, "latin1"),
  ]);
}

/** A byte string of an image (a link's target) for Node's file functions. */
export function diskBytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
