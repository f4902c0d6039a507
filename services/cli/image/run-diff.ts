import {
  diffTrees,
  type TreeChange,
  type TreeNode,
} from "../../../lib/merkle-tree/index.js";
import { findTree } from "./find-tree.js";
import { formatMode, nodeToJson, printable, sizeOf } from "./format-node.js";
import type { ImageCommand } from "./image-command.js";

const kinds = {
  added: "A",
  deleted: "D",
  modified: "M",
} as const;

/**
 * `berth image diff`: what changed between two images. The exit status is 0
 * for equal trees and 1 for different ones, as diff has it.
 */
export const runDiff: ImageCommand = async (
  [one = "", other = ""],
  context,
) => {
  const { settings, open, output } = context;
  const before = (await findTree(one, context)).rootDigest;
  const after = (await findTree(other, context)).rootDigest;
  const counts = { added: 0, deleted: 0, modified: 0, bytes: 0 };
  const changes = diffTrees(open.cas, { before, after }, open.context);
  for await (const change of changes) {
    const kind = kindOf(change);
    counts[kind]++;
    counts.bytes += sizeOrNone(change.after) - sizeOrNone(change.before);
    await output.write(
      settings.json ? toJson(kind, change) : toText(kind, change),
    );
  }
  const { added, deleted, modified, bytes } = counts;
  const sign = bytes < 0 ? "" : "+";
  await output.write(
    settings.json
      ? `${JSON.stringify({ summary: { before: `cas://${before}`, after: `cas://${after}`, ...counts } })}\n`
      : `${added} added, ${deleted} deleted, ${modified} modified, ${sign}${bytes} bytes\n`,
  );
  return before.equals(after) ? 0 : 1;
};

function kindOf({ before, after }: TreeChange): keyof typeof kinds {
  if (before === undefined) return "added";
  return after === undefined ? "deleted" : "modified";
}

function sizeOrNone(node: TreeNode | undefined): number {
  return node === undefined ? 0 : sizeOf(node);
}

function toJson(
  change: keyof typeof kinds,
  { path, before, after }: TreeChange,
): string {
  return `${JSON.stringify({
    change,
    path: `/${path}`,
    ...(before && { before: nodeToJson(before) }),
    ...(after && { after: nodeToJson(after) }),
  })}\n`;
}

function toText(
  kind: keyof typeof kinds,
  { path, before, after }: TreeChange,
): string {
  const nodes = [before, after].flatMap((node) =>
    node === undefined ? [] : [formatNode(node)],
  );
  // Where all that is shown is the same, it is content or time that differs.
  const [was, is] = nodes;
  const details =
    was === is && before && after
      ? `${was}, other ${whatElse(before, after)}`
      : nodes.join(" => ");
  return `${kinds[kind]} /${printable(path)}  ${details}\n`;
}

function formatNode(node: TreeNode): string {
  switch (node.type) {
    case "file":
      return `${formatMode(node)} ${sizeOf(node)}`;
    case "directory":
      return formatMode(node);
    case "symlink":
      return `-> ${printable(node.target)}`;
  }
}

function whatElse(before: TreeNode, after: TreeNode): string {
  const isSameContent =
    before.type !== "file" ||
    (after.type === "file" && before.digest.equals(after.digest));
  return isSameContent ? "time" : "content";
}
