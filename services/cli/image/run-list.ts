import {
  listTree,
  resolveTreePath,
  type TreeNode,
  type TreePath,
} from "../../../lib/merkle-tree/index.js";
import { wrap } from "../../../lib/status/index.js";
import { findTree } from "./find-tree.js";
import { formatMode, nodeToJson, printable, sizeOf } from "./format-node.js";
import type { ImageCommand, ImageCommandContext } from "./image-command.js";

/** Sizes up to this width are in one column: 999 GB. */
const sizeWidth = 12;

/** `berth image ls`: what a directory of an image holds. */
export const runList: ImageCommand = async (
  [text = "", path = "/"],
  context,
) => {
  const { settings, open, output } = context;
  const { rootDigest, reference } = await findTree(text, context);
  const { cas } = open;
  const found = await resolveTreePath(cas, rootDigest, {
    path,
    context: open.context,
  }).catch((error: unknown) => {
    throw wrap(error, `Failed to list "${reference}"`);
  });
  for await (const { path: at, node } of entriesOf(found, context)) {
    // As ls has it: names, relative to what was asked for.
    const name = at === found.path ? at : at.slice(prefixOf(found).length);
    await output.write(
      settings.json
        ? `${JSON.stringify({ path: `/${at}`, ...nodeToJson(node) })}\n`
        : formatLine(name, node),
    );
  }
  return 0;
};

async function* entriesOf(
  found: TreePath,
  { settings, open }: ImageCommandContext,
): AsyncGenerator<TreePath> {
  const { path, node } = found;
  if (node.type !== "directory") {
    yield found;
    return;
  }
  const { isRecursive } = settings;
  const options = { context: open.context, isRecursive, path };
  for await (const each of listTree(open.cas, node.digest, options)) {
    if (each.path !== path) yield each; // the directory itself
  }
}

function prefixOf({ path }: TreePath): string {
  return path === "" ? "" : `${path}/`;
}

function formatLine(name: string, node: TreeNode): string {
  const target = node.type === "symlink" ? ` -> ${printable(node.target)}` : "";
  const size = String(sizeOf(node)).padStart(sizeWidth);
  return `${formatMode(node)} ${size} ${printable(name)}${target}\n`;
}
