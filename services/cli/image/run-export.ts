import { checkExportTarget } from "./export-target-directory.js";
import { findTree } from "./find-tree.js";
import { formatBytes } from "./format-node.js";
import type { ImageCommand } from "./image-command.js";
import { withTarFile } from "./tar-file.js";
import { exportTreeToFolder } from "./tree-folder-writer.js";
import { type TreeTotals, writeTreeAsTar } from "./tree-tar.js";

/** `berth image export`: writes an image's tree as files, or as an archive. */
export const runExport: ImageCommand = async (
  [text = "", to = ""],
  context,
) => {
  const { settings, open, output } = context;
  if (to !== "-") await checkExportTarget(to);
  const { rootDigest } = await findTree(text, context);
  const tree = { cas: open.cas, rootDigest, context: open.context };
  let totals: TreeTotals;
  if (to === "-") totals = await writeTreeAsTar(tree, output);
  else if (to.endsWith(".tar")) {
    totals = await withTarFile(to, (file) => writeTreeAsTar(tree, file));
  } else totals = await exportTreeToFolder(tree, to);
  const { files, directories, links, bytes } = totals;
  const line = settings.json
    ? JSON.stringify({ tree: `cas://${rootDigest}`, to, ...totals })
    : `exported cas://${rootDigest} to ${to}: ${files} files, ${directories} directories, ${links} links, ${formatBytes(bytes)}`;
  // The archive itself may be what goes to standard output.
  if (to === "-") process.stderr.write(`${line}\n`);
  else await output.write(`${line}\n`);
  return 0;
};
