import { createHash } from "node:crypto";
import { Code, StatusError, wrap } from "../status/index.js";
import { ByteReader } from "./byte-reader.js";
import type { DroppedCounts, Layer, LayerEntry } from "./layer.js";
import { hashBytes, layerMagic, typeNumbers } from "./layer-format.js";

/**
 * A processed layer from the bytes that encodeLayer made of it. Throws
 * DataLoss when they are of another version, of another layer, or were changed
 * since: then the layer has to be processed again. The bytes are trusted to
 * come from us; the checksum is against damage, not against malice.
 */
export function decodeLayer(bytes: Uint8Array, diffId: string): Layer {
  const layer = openEncodedLayer(bytes, diffId);
  try {
    return { ...layer, entries: [...layer.entries] };
  } catch (error) {
    throw wrap(error, `Failed to decode layer "${diffId}"`);
  }
}

/**
 * The same, but entries are decoded as they are asked for, each time anew: of
 * a layer of many they would take several times the memory of the bytes.
 */
export function openEncodedLayer(
  encoded: Uint8Array,
  diffId: string,
): Omit<Layer, "entries"> & { readonly entries: Iterable<LayerEntry> } {
  const { buffer, byteOffset, byteLength } = encoded;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  try {
    const content = bytes.subarray(0, Math.max(0, bytes.length - hashBytes));
    const checksum = createHash("sha256").update(content).digest();
    if (!checksum.equals(bytes.subarray(content.length))) {
      throw malformed("Checksum is wrong");
    }
    const { dropped, reader } = decodeHead(content, diffId);
    const at = reader.offset;
    const entries = {
      [Symbol.iterator]: () => decodeEntries(new ByteReader(content, at)),
    };
    return { diffId, dropped, entries };
  } catch (error) {
    throw wrap(error, `Failed to decode layer "${diffId}"`);
  }
}

function decodeHead(
  content: Buffer,
  diffId: string,
): { dropped: DroppedCounts; reader: ByteReader } {
  const reader = new ByteReader(content);
  if (reader.text(layerMagic.length) !== layerMagic) {
    throw malformed("Format is unknown");
  }
  const stated = `sha256:${reader.text(hashBytes, "hex")}`;
  if (stated !== diffId) throw malformed(`Diff ID is ${stated}`);
  const dropped = {
    devices: reader.number(),
    fifos: reader.number(),
    xattrs: reader.number(),
    setIds: reader.number(),
    aufs: reader.number(),
  };
  return { dropped, reader };
}

function* decodeEntries(reader: ByteReader): Generator<LayerEntry> {
  let path = "";
  for (let rest = reader.number(); rest > 0; rest--) {
    const type = reader.number();
    path = path.slice(0, reader.number()) + reader.text(reader.number());
    yield decodeEntry(reader, type, path);
  }
  if (!reader.isAtEnd) throw malformed("Entries are followed by more");
}

function decodeEntry(
  reader: ByteReader,
  type: number,
  path: string,
): LayerEntry {
  switch (type) {
    case typeNumbers.directory:
      return { type: "directory", path, ...modeAndTime(reader) };
    case typeNumbers.file: {
      const { mode, mtimeSeconds } = modeAndTime(reader);
      const sizeBytes = reader.number();
      const sha256 = reader.text(hashBytes, "hex");
      return { type: "file", path, mode, mtimeSeconds, sizeBytes, sha256 };
    }
    case typeNumbers.symlink:
      return { type: "symlink", path, target: reader.text(reader.number()) };
    case typeNumbers.hardLink:
      return { type: "hardLink", path, target: reader.text(reader.number()) };
    case typeNumbers.whiteout:
      return { type: "whiteout", path };
    case typeNumbers.opaque:
      return { type: "opaque", path };
    case typeNumbers.special:
      return { type: "special", path };
    default:
      throw malformed(`Type ${type} is unknown`);
  }
}

function modeAndTime(reader: ByteReader): {
  mode: number;
  mtimeSeconds: number;
} {
  const modeAndSign = reader.number();
  const time = reader.number();
  const isNegative = modeAndSign % 2 === 1;
  return {
    mode: Math.floor(modeAndSign / 2),
    mtimeSeconds: isNegative ? -time : time,
  };
}

function malformed(detail: string): StatusError {
  return new StatusError(Code.DataLoss, detail);
}
