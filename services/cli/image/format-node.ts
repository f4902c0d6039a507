import type { TreeNode } from "../../../lib/merkle-tree/index.js";

/** Permission bits that CAS can say; the type has its own letter. */
const modeMask = 0o7777;

/** Permission bits, those of most files where the tree says none. */
export function modeOf(node: TreeNode): number {
  const stated = node.properties?.unixMode;
  if (stated !== undefined) return stated & modeMask;
  if (node.type === "symlink") return 0o777;
  return node.type === "directory" || node.isExecutable ? 0o755 : 0o644;
}

/**
 * The permission bits that are written anew: set-ID bits would make programs
 * of an image run as whoever exports it.
 */
export function permissionsOf(node: TreeNode): number {
  return modeOf(node) & (node.type === "directory" ? 0o1777 : 0o777);
}

/** Bytes of a file's content; of a directory or link, nothing that counts. */
export function sizeOf(node: TreeNode): number {
  return node.type === "file" ? node.digest.sizeBytes : 0;
}

/** Type and permissions as `ls -l` has them, such as "-rwxr-xr-x". */
export function formatMode(node: TreeNode): string {
  const mode = modeOf(node);
  const type = { file: "-", directory: "d", symlink: "l" }[node.type];
  const triple = (shift: number, special: number, letter: string) => {
    const x = ((mode >> shift) & 1) === 1;
    const last =
      (mode & special) === 0
        ? x
          ? "x"
          : "-"
        : x
          ? letter
          : letter.toUpperCase();
    const r = ((mode >> shift) & 4) === 0 ? "-" : "r";
    const w = ((mode >> shift) & 2) === 0 ? "-" : "w";
    return `${r}${w}${last}`;
  };
  const user = triple(6, 0o4000, "s");
  const group = triple(3, 0o2000, "s");
  return `${type}${user}${group}${triple(0, 0o1000, "t")}`;
}

/**
 * A name from an image for a terminal, on one line: what is not printed there
 * as it is, or could steer the terminal, is escaped, and so are backslashes.
 */
export function printable(name: string): string {
  return name.replace(/[\\\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === "\\") return "\\\\";
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/** A number of bytes for people. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const unit = ["", "KiB", "MiB", "GiB", "TiB"][power] ?? "";
  return `${(bytes / 1_024 ** power).toFixed(1)} ${unit}`;
}

/** A node as the commands give it to programs. */
export function nodeToJson(node: TreeNode): Record<string, unknown> {
  const common = {
    type: node.type,
    mode: modeOf(node).toString(8).padStart(4, "0"),
  };
  const seconds = node.properties?.mtime?.seconds;
  const times = seconds === undefined ? {} : { mtime: seconds };
  switch (node.type) {
    case "file":
      return {
        ...common,
        size: node.digest.sizeBytes,
        sha256: node.digest.hash,
        executable: node.isExecutable,
        ...times,
      };
    case "directory":
      return { ...common, digest: String(node.digest), ...times };
    case "symlink":
      return { type: node.type, target: node.target };
  }
}
