import { createHash } from "node:crypto";
import { ByteWriter } from "./byte-writer.js";
import type { Layer, LayerEntry } from "./layer.js";
import { layerMagic, typeNumbers } from "./layer-format.js";

/** Least size of a part but the last. */
const partBytes = 2 ** 16;

/** A layer whose entries may be made as they are encoded. */
type EncodableLayer = Omit<Layer, "entries"> & {
  readonly entries: Iterable<LayerEntry> & { readonly length: number };
};

/** A processed layer as bytes, to be kept under its diff ID: see decodeLayer. */
export function encodeLayer(layer: EncodableLayer): Buffer {
  const parts: Buffer[] = [];
  for (const part of encodeLayerInParts(layer)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** The same bytes, each part of them valid until the next is asked for. */
export function* encodeLayerInParts(layer: EncodableLayer): Generator<Buffer> {
  const hash = createHash("sha256");
  const writer = new ByteWriter();
  writer.text(layerMagic);
  writer.text(layer.diffId.replace("sha256:", ""), "hex");
  const { devices, fifos, xattrs, setIds, aufs } = layer.dropped;
  for (const count of [devices, fifos, xattrs, setIds, aufs]) {
    writer.number(count);
  }
  writer.number(layer.entries.length);
  let previous = "";
  for (const entry of layer.entries) {
    writer.number(typeNumbers[entry.type]);
    const shared = sharedLength(previous, entry.path);
    writer.number(shared);
    text(writer, entry.path.slice(shared));
    details(writer, entry);
    previous = entry.path;
    if (writer.bytes.length < partBytes) continue;
    hash.update(writer.bytes);
    yield writer.bytes;
    writer.clear();
  }
  hash.update(writer.bytes);
  yield writer.bytes;
  yield hash.digest();
}

function details(writer: ByteWriter, entry: LayerEntry): void {
  switch (entry.type) {
    case "directory":
      modeAndTime(writer, entry);
      return;
    case "file":
      modeAndTime(writer, entry);
      writer.number(entry.sizeBytes);
      writer.text(entry.sha256, "hex");
      return;
    case "symlink":
    case "hardLink":
      text(writer, entry.target);
      return;
    case "whiteout":
    case "opaque":
    case "special":
      return;
  }
}

function modeAndTime(
  writer: ByteWriter,
  { mode, mtimeSeconds }: { mode: number; mtimeSeconds: number },
): void {
  // The lowest bit is the time's sign.
  writer.number(mode * 2 + (mtimeSeconds < 0 ? 1 : 0));
  writer.number(Math.abs(mtimeSeconds));
}

function text(writer: ByteWriter, value: string): void {
  writer.number(value.length);
  writer.text(value);
}

function sharedLength(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a.charCodeAt(length) === b.charCodeAt(length)) {
    length++;
  }
  return length;
}
