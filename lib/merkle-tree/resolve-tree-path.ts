import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { childrenOf, directoryNode, type TreePath } from "./tree-node.js";
import { readDirectory } from "./walk-tree.js";

/** As Linux has it (path_resolution(7)). */
const maximumLinks = 40;

/** A directory on the way, and its name in the one before. */
interface Step {
  readonly name: string;
  readonly digest: Digest;
}

/**
 * Finds what a path means in a tree of CAS as in a root file system: links
 * are followed, the last one too, absolute ones from the tree's root, and ".."
 * of the root is the root. Gives the path without links. Throws NotFound where
 * there is nothing, FailedPrecondition for a way through what is no directory
 * and for links without an end, each naming the path asked for; and what
 * readDirectory throws.
 */
export async function resolveTreePath(
  cas: ContentAddressableStorage,
  root: Digest,
  { path, context }: { readonly path: string; readonly context: CasContext },
): Promise<TreePath> {
  const refuse = (code: Code, why: string) =>
    new StatusError(code, `${JSON.stringify(path)} ${why}`);
  const way: Step[] = [];
  const waiting = componentsOf(path);
  let links = 0;
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === "..") {
      way.pop();
      continue;
    }
    const { directory } = await readDirectory(
      cas,
      way.at(-1)?.digest ?? root,
      context,
    );
    const node = childrenOf(directory).get(name);
    const at = [...way.map((step) => step.name), name].join("/");
    if (node === undefined) {
      throw refuse(
        Code.NotFound,
        `is not in the image: there is no ${JSON.stringify(`/${at}`)}`,
      );
    }
    if (node.type === "symlink") {
      if (++links > maximumLinks) {
        throw refuse(Code.FailedPrecondition, "leads through too many links");
      }
      if (node.target.startsWith("/")) way.length = 0;
      for (const each of componentsOf(node.target)) waiting.push(each);
    } else if (node.type === "directory") {
      way.push({ name, digest: node.digest });
    } else if (waiting.length === 0) {
      return { path: at, node };
    } else {
      throw refuse(
        Code.FailedPrecondition,
        `leads through ${JSON.stringify(`/${at}`)}, which is no directory`,
      );
    }
  }
  const walked = await readDirectory(cas, way.at(-1)?.digest ?? root, context);
  const at = way.map((step) => step.name).join("/");
  return { path: at, node: directoryNode(walked) };
}

/** The last one first. */
function componentsOf(path: string): string[] {
  return path
    .split("/")
    .filter((component) => component !== "" && component !== ".")
    .reverse();
}
