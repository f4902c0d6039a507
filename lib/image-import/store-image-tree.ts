import type {
  DirectoryNode as DirectoryNodeMessage,
  FileNode as FileNodeMessage,
  NodeProperties,
  SymlinkNode as SymlinkNodeMessage,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import type {
  DirectoryNode,
  FileNode,
  ImageTree,
} from "../image-tree/index.js";
import { encodeDirectory } from "../merkle-tree/index.js";
import { Code, StatusError } from "../status/index.js";
import type { BlobUploader } from "./blob-uploader.js";
import { DigestList } from "./digest-list.js";
import { tryUtf8FromBytes } from "./utf8-name.js";

/** A tree whose Directories were given to an uploader. */
export interface StoredTree {
  readonly root: Digest;
  /** Of all different blobs that the tree refers to, its root included. */
  readonly digests: DigestList;
  /** Entries left out since their name or target is not UTF-8. */
  readonly droppedNames: number;
}

/**
 * Turns an image's tree into canonical Directories and has them stored. The
 * same tree gives the same digest whatever made it. Permission bits and times
 * are node properties; hard links become files of their own. The tree is taken
 * apart on the way: it cannot be used any more. Throws
 * ResourceExhausted for a Directory above the limit, naming it, before any
 * of its parents is known to anyone; and what the uploader throws.
 */
export async function storeImageTree(
  tree: ImageTree,
  options: {
    readonly uploader: BlobUploader;
    readonly maximumDirectoryBytes: number;
  },
): Promise<StoredTree> {
  const writer = new TreeWriter(options);
  const root = await writer.write(tree.root, "");
  return { root, digests: writer.digests, droppedNames: writer.droppedNames };
}

class TreeWriter {
  readonly digests = new DigestList();
  droppedNames = 0;
  readonly #uploader: BlobUploader;
  readonly #maximumDirectoryBytes: number;
  /** Hashes alone: no two blobs of different sizes have the same. */
  readonly #seen = new Set<string>();

  constructor(options: {
    readonly uploader: BlobUploader;
    readonly maximumDirectoryBytes: number;
  }) {
    this.#uploader = options.uploader;
    this.#maximumDirectoryBytes = options.maximumDirectoryBytes;
  }

  // As deep as layers may be, which is less than the stack.
  async write(directory: DirectoryNode, path: string): Promise<Digest> {
    const files: FileNodeMessage[] = [];
    const directories: DirectoryNodeMessage[] = [];
    const symlinks: SymlinkNodeMessage[] = [];
    for (const [bytes, node] of directory.children) {
      const name = tryUtf8FromBytes(bytes);
      const target =
        node.type === "symlink" ? tryUtf8FromBytes(node.target) : "";
      if (name === undefined || target === undefined) {
        this.droppedNames++;
      } else if (node.type === "file") {
        files.push(this.#file(name, node));
      } else if (node.type === "symlink") {
        symlinks.push({ name, target, nodeProperties: undefined });
      } else {
        const digest = await this.write(node, `${path}/${bytes}`);
        directories.push({ name, digest: digest.toProto() });
      }
    }
    const entries = directory.children.size;
    // The tree is ours, and as large as all that is made of it: what is
    // encoded goes, so that the two are never in memory together.
    (directory.children as Map<string, unknown>).clear();
    const { digest, data } = encodeDirectory({
      files,
      directories,
      symlinks,
      nodeProperties: propertiesOf(directory),
    });
    if (digest.sizeBytes > this.#maximumDirectoryBytes) {
      throw new StatusError(
        Code.ResourceExhausted,
        `Directory "${path}" of the image must have at most ${this.#maximumDirectoryBytes} bytes as a message: current value is ${digest.sizeBytes}, for ${entries} entries`,
      );
    }
    if (this.#isNew(digest)) {
      const room = this.#uploader.add(digest, data);
      if (room !== undefined) await room;
    }
    return digest;
  }

  #file(name: string, node: FileNode): FileNodeMessage {
    const digest = Digest.create(node.sha256, node.sizeBytes);
    this.#isNew(digest);
    return {
      name,
      digest: digest.toProto(),
      isExecutable: (node.mode & 0o111) !== 0,
      nodeProperties: propertiesOf(node),
    };
  }

  #isNew(digest: Digest): boolean {
    if (this.#seen.has(digest.hash)) return false;
    this.#seen.add(digest.hash);
    if (digest.sizeBytes > 0) this.digests.add(digest);
    return true;
  }
}

function propertiesOf(node: {
  readonly mode: number;
  readonly mtimeSeconds: number;
}): NodeProperties {
  return {
    properties: [],
    mtime: { seconds: node.mtimeSeconds, nanos: 0 },
    unixMode: node.mode,
  };
}
