import { MessageChannel, type MessagePort } from "node:worker_threads";
import { sendChunks } from "./chunk-channel.js";

/** A source that is on its way to a worker. */
export interface ChunkChannel {
  /** To be transferred to the worker, which calls receiveChunks. */
  readonly port: MessagePort;
  /** Ends the source, also one that waits; resolves when it has ended. */
  close(): Promise<void>;
}

/**
 * Opens a source and sends its chunks through the port; `onProgress` is told
 * how many bytes the worker is done with. Close it in any case.
 */
export function openChunkChannel(
  open: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  options: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: { readonly bytesDone: number }) => void;
  },
): ChunkChannel {
  const { port1, port2 } = new MessageChannel();
  const over = new AbortController();
  let bytesDone = 0;
  const source = open(AbortSignal.any([options.signal, over.signal]));
  const sending = sendChunks(source, port1, (bytes) => {
    bytesDone += bytes;
    options.onProgress({ bytesDone });
  });
  return {
    port: port2,
    close: async () => {
      over.abort();
      port1.close();
      await sending;
    },
  };
}
