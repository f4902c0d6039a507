import type { MessagePort } from "node:worker_threads";
import {
  Code,
  codeFromNumber,
  StatusError,
  toStatusError,
} from "../status/index.js";

/**
 * Bytes that may be under way to a worker: enough to keep it busy while the
 * next ones come from the network, little beside what a worker needs anyway.
 */
const windowBytes = 1 << 20;

/** What the sender posts. */
type ChunkMessage =
  | { readonly chunk: Uint8Array }
  | { readonly end: true }
  | { readonly code: number; readonly message: string };

/** What the receiver posts: that it is done with so many bytes. */
interface CreditMessage {
  readonly consumedBytes: number;
}

/** Whether a chunk can be handed over without a copy. */
function isWholeBuffer({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength === buffer.byteLength;
}

/**
 * Sends a source's chunks through a port until the source ends or fails, or
 * the receiver closes the port; `onConsumed` is told of most bytes that the
 * receiver is done with. The source must not use a chunk after it gave it out. Waits while the receiver is behind. A failure
 * of the source becomes the receiver's; nothing is thrown. The source is
 * closed in any case.
 */
export async function sendChunks(
  source: AsyncIterable<Uint8Array>,
  port: MessagePort,
  onConsumed: (bytes: number) => void,
): Promise<void> {
  let credit = windowBytes;
  let closed = false;
  let wake = () => {};
  port.on("message", ({ consumedBytes }: CreditMessage) => {
    credit += consumedBytes;
    onConsumed(consumedBytes);
    wake();
  });
  port.on("close", () => {
    closed = true;
    wake();
  });
  try {
    for await (const chunk of source) {
      const own = isWholeBuffer(chunk) ? chunk : new Uint8Array(chunk);
      credit -= own.byteLength;
      port.postMessage({ chunk: own } satisfies ChunkMessage, [
        own.buffer as ArrayBuffer, // sources share no memory
      ]);
      while (credit <= 0 && !closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (closed) return;
    }
    port.postMessage({ end: true } satisfies ChunkMessage);
  } catch (error) {
    const { code, message } = toStatusError(error);
    port.postMessage({ code, message } satisfies ChunkMessage);
  }
}

/**
 * The bytes that come through a port, those that are there already as one
 * chunk: each costs a decompressor a trip to its thread. Throws what the
 * sender's source failed with; Unavailable if the sender is gone. Closes the
 * port at the end, which stops the sender.
 */
export async function* receiveChunks(
  port: MessagePort,
): AsyncGenerator<Uint8Array, void, void> {
  const queue: ChunkMessage[] = [];
  let wake = () => {};
  port.on("message", (message: ChunkMessage) => {
    queue.push(message);
    wake();
  });
  port.on("close", () => {
    queue.push({ code: Code.Unavailable, message: "The sender is gone" });
    wake();
  });
  try {
    for (;;) {
      const message = queue.shift();
      if (message === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if ("end" in message) return;
      if ("code" in message) {
        throw new StatusError(codeFromNumber(message.code), message.message);
      }
      const chunk = withFollowing(message.chunk, queue);
      yield chunk;
      const consumedBytes = chunk.byteLength;
      port.postMessage({ consumedBytes } satisfies CreditMessage);
    }
  } finally {
    port.close();
  }
}

/** Takes the chunks at the head of the queue, and joins them to the first. */
function withFollowing(first: Uint8Array, queue: ChunkMessage[]): Uint8Array {
  const chunks = [first];
  for (;;) {
    const [next] = queue;
    if (next === undefined || !("chunk" in next)) break;
    chunks.push(next.chunk);
    queue.shift();
  }
  return chunks.length === 1 ? first : Buffer.concat(chunks);
}
