import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type ChunkChannel, openChunkChannel } from "../worker-pool/index.js";
import { gatherChunks } from "./gather-chunks.js";
import type { RootLayer, TreeLayer } from "./root-image.js";
import { decodeWanted } from "./wanted-blobs.js";

/** A layer's bytes on their way to the worker that reads it. */
export interface LayerChannel extends ChunkChannel {
  /** To be transferred where the layer is a tree: see TreeJob. */
  readonly wanted: MessagePort;
}

/** Who waits for a layer. */
interface LayerReader {
  readonly signal: AbortSignal;
  readonly report: (progress: { readonly bytesDone: number }) => void;
}

/**
 * Opens the channel of a layer: an archive comes whole, of a tree the blobs
 * that the worker wants. Close it in any case.
 */
export function openLayerChannel(
  layer: RootLayer,
  { signal, report }: LayerReader,
): LayerChannel {
  const { port1, port2 } = new MessageChannel();
  let bytesThere = 0;
  const open = (ended: AbortSignal) => {
    if (!("openBlobs" in layer)) return layer.open(ended);
    return treeSource(layer, port1, ended, (bytes) => {
      bytesThere = bytes;
      report({ bytesDone: bytes });
    });
  };
  const channel = openChunkChannel(open, {
    signal,
    onProgress: ({ bytesDone }) =>
      report({ bytesDone: bytesThere + bytesDone }),
  });
  return {
    port: channel.port,
    wanted: port2,
    close: () => {
      port1.close();
      return channel.close();
    },
  };
}

/** Waits for what is wanted, then gives it. */
async function* treeSource(
  { descriptor, openBlobs }: TreeLayer,
  port: MessagePort,
  signal: AbortSignal,
  onThere: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const wanted = await receiveWanted(port, signal);
  let bytesThere = descriptor.sizeBytes;
  for (const { sizeBytes } of decodeWanted(wanted)) bytesThere -= sizeBytes;
  onThere(bytesThere);
  yield* gatherChunks(openBlobs(decodeWanted(wanted), signal));
}

/** Throws the signal's reason. */
function receiveWanted(
  port: MessagePort,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    port.once("message", (wanted: Uint8Array) => {
      signal.removeEventListener("abort", leave);
      resolve(wanted);
    });
    if (signal.aborted) leave();
  });
}
