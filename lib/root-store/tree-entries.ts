import type { NodeProperties } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { emptyDigest } from "../digest/index.js";
import type { LayerEntry } from "../layer/index.js";
import {
  expandTree,
  type LoadedTree,
  quoteTreePath,
  type TreeEntry,
} from "../merkle-tree/index.js";
import { Code, StatusError } from "../status/index.js";

/** Longest target of a symbolic link on Linux (PATH_MAX less its NUL). */
const maximumTargetBytes = 4095;

/** What a Timestamp can say (google/protobuf/timestamp.proto). */
const earliestSeconds = -62_135_596_800;
const latestSeconds = 253_402_300_799;

/**
 * A tree of CAS as entries of a layer, so that all that is made of layers can
 * be made of it. Nodes that say nothing of mode and time get those that most
 * files have, and 1970. Throws InvalidArgument, with the path, for what Linux
 * cannot have.
 */
export function* treeEntries(
  tree: Pick<LoadedTree, "root" | "directories">,
): Generator<LayerEntry> {
  for (const entry of expandTree(tree)) {
    const path = byteString(entry.path);
    switch (entry.type) {
      case "directory":
        yield {
          type: "directory",
          path,
          mode: (entry.properties?.unixMode ?? 0o755) & 0o1777,
          mtimeSeconds: secondsOf(entry.path, entry.properties),
        };
        break;
      case "file":
        yield fileEntry(path, entry);
        break;
      case "symlink":
        yield { type: "symlink", path, target: targetOf(entry) };
        break;
    }
  }
}

function fileEntry(
  path: string,
  entry: TreeEntry & { type: "file" },
): LayerEntry {
  const { digest, properties, isExecutable } = entry;
  // Nobody is asked for the empty blob, so nobody else would notice.
  if (digest.sizeBytes === 0 && !digest.equals(emptyDigest)) {
    throw refuse(entry.path, `Digest "${digest}" is of no blob`);
  }
  return {
    type: "file",
    path,
    mode: (properties?.unixMode ?? (isExecutable ? 0o755 : 0o644)) & 0o777,
    mtimeSeconds: secondsOf(entry.path, properties),
    sizeBytes: digest.sizeBytes,
    sha256: digest.hash,
  };
}

/** Whole seconds: the rest of a Timestamp always counts forward. */
function secondsOf(path: string, properties: NodeProperties | undefined) {
  const seconds = properties?.mtime?.seconds ?? 0;
  if (seconds >= earliestSeconds && seconds <= latestSeconds) return seconds;
  throw refuse(path, `Time of modification is out of range: ${seconds}`);
}

function targetOf({ path, target }: TreeEntry & { type: "symlink" }): string {
  const bytes = byteString(target);
  if (bytes.length <= maximumTargetBytes) return bytes;
  throw refuse(
    path,
    `Target of a symlink must have at most ${maximumTargetBytes} bytes`,
  );
}

function refuse(path: string, why: string): StatusError {
  const at = `At ${quoteTreePath(path)}`;
  return new StatusError(Code.InvalidArgument, `${at}: ${why}`);
}

/** Text of CAS, which is UTF-8, as the byte string that a disk has. */
function byteString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: any ASCII byte
  if (/^[\x01-\x7f]*$/.test(text)) return text;
  return Buffer.from(text).toString("latin1");
}
