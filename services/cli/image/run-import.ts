import { parseImageReference } from "../../../lib/image/index.js";
import type {
  DroppedFromImage,
  ImportedImage,
} from "../../../lib/image-import/index.js";
import { usageError } from "../parse-options.js";
import { formatBytes } from "./format-node.js";
import type { ImageCommand } from "./image-command.js";
import { type ImportResult, importImage } from "./import-image.js";

/** `berth image import`: brings an image into CAS. */
export const runImport: ImageCommand = async (
  [text = ""],
  { settings, open, env, output },
) => {
  const reference = parseImageReference(text, {
    allowCas: true,
    allowLayouts: true,
  });
  if (reference.kind === "cas") {
    throw usageError("image", `"${text}" is in CAS already, if anywhere`);
  }
  const result = await importImage(reference, { settings, open, env });
  await output.write(
    settings.json ? `${JSON.stringify(toJson(result))}\n` : toText(result),
  );
  return 0;
};

function toJson({ image, imported }: ImportResult): Record<string, unknown> {
  const { totals, stored, dropped, rootDigest } = imported;
  return {
    image: String(image.reference),
    manifestDigest: image.manifestDigest,
    tree: `cas://${rootDigest}`,
    files: totals.files,
    directories: totals.directories,
    links: totals.symlinks,
    bytes: totals.sizeBytes,
    new: { blobs: stored.blobs, bytes: stored.bytes },
    dropped,
  };
}

function toText({ image, imported }: ImportResult): string {
  const { totals, stored } = imported;
  const lines = [
    `image     ${image.reference}`,
    `manifest  ${image.manifestDigest}`,
    `tree      cas://${imported.rootDigest}`,
    `content   ${totals.files} files, ${totals.directories} directories, ${totals.symlinks} links, ${formatBytes(totals.sizeBytes)}`,
    `new       ${stored.blobs} blobs, ${formatBytes(stored.bytes)}`,
    ...droppedLine(imported),
  ];
  return `${lines.join("\n")}\n`;
}

const droppedWords: Readonly<Record<keyof DroppedFromImage, string>> = {
  devices: "devices",
  fifos: "FIFOs",
  xattrs: "extended attributes",
  setIds: "set-ID bits",
  aufs: "files of aufs",
  names: "names that are not UTF-8",
};

function droppedLine({ dropped }: ImportedImage): string[] {
  const parts = Object.entries(droppedWords).flatMap(([key, words]) => {
    // The table's type says that these are its keys.
    const count = dropped[key as keyof DroppedFromImage];
    return count === 0 ? [] : [`${count} ${words}`];
  });
  return parts.length === 0 ? [] : [`dropped   ${parts.join(", ")}`];
}
