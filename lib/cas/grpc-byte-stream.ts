import { randomUUID } from "node:crypto";
import type { ClientWritableStream } from "@grpc/grpc-js";
import type {
  ByteStreamClient,
  WriteRequest,
  WriteResponse,
} from "#proto/google/bytestream/bytestream.js";
import type { Digest } from "../digest/index.js";
import { callServerStream } from "../grpc/index.js";
import { Code, StatusError, toStatusError } from "../status/index.js";
import type { CasContext } from "./content-addressable-storage.js";
import { readResourceName, writeResourceName } from "./resource-name.js";

/** Bytes per message; larger ones gain nothing, and stay under any limit. */
const pieceSizeBytes = 256 * 1024;

/** A blob's bytes from an offset on, as the peer sends them: not verified. */
export async function* readByteStream(
  client: ByteStreamClient,
  blob: { digest: Digest; readOffset: number },
  context: CasContext,
): AsyncGenerator<Uint8Array> {
  const { instanceName, signal } = context;
  const resourceName = readResourceName({ instanceName, digest: blob.digest });
  const request = { resourceName, readOffset: blob.readOffset, readLimit: 0 };
  const answers = callServerStream(client.read.bind(client), request, {
    signal,
  });
  for await (const { data } of answers) yield data;
}

/**
 * Sends a blob in one attempt. Ends early when the peer says that it has all
 * of it already; throws Internal when it says that it has another size.
 */
export async function writeByteStream(
  client: ByteStreamClient,
  blob: { digest: Digest; source: AsyncIterable<Uint8Array> },
  context: CasContext,
): Promise<void> {
  const { instanceName, signal } = context;
  const upload = startUpload(client, signal);
  const name = { instanceName, digest: blob.digest };
  try {
    await sendPieces(upload, {
      resourceName: writeResourceName(name, randomUUID()),
      source: blob.source,
      sizeBytes: blob.digest.sizeBytes,
    });
    const { committedSize } = await upload.answer;
    if (committedSize !== blob.digest.sizeBytes) {
      throw new StatusError(
        Code.Internal,
        `Blob "${blob.digest}" was stored with ${committedSize} bytes`,
      );
    }
  } finally {
    upload.end();
  }
}

interface Upload {
  readonly call: ClientWritableStream<WriteRequest>;
  readonly answer: Promise<WriteResponse>;
  /** Whether the answer, or the end of the call, came. */
  answered: boolean;
  /** Cancels what is still under way. */
  end(): void;
}

function startUpload(
  client: ByteStreamClient,
  signal: AbortSignal | undefined,
): Upload {
  const { promise, resolve, reject } = withResolvers<WriteResponse>();
  const cancel = () => upload.call.cancel();
  const upload: Upload = {
    answer: promise,
    answered: false,
    call: client.write((error, response) => {
      upload.answered = true;
      upload.call.emit("drain"); // whoever waits to send more need not
      if (error === null) resolve(response);
      else reject(signal?.aborted ? toStatusError(signal.reason) : error);
    }),
    end: () => {
      signal?.removeEventListener("abort", cancel);
      if (!upload.answered) cancel();
    },
  };
  promise.catch(() => {}); // read below, or not at all after another failure
  upload.call.on("error", () => {}); // the callback has it as well
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel);
  return upload;
}

async function sendPieces(
  upload: Upload,
  blob: {
    resourceName: string;
    source: AsyncIterable<Uint8Array>;
    sizeBytes: number;
  },
): Promise<void> {
  let writeOffset = 0;
  let { resourceName } = blob;
  for await (const data of split(blob.source)) {
    if (upload.answered) return;
    const finishWrite = writeOffset + data.byteLength === blob.sizeBytes;
    const request = { resourceName, writeOffset, finishWrite, data };
    writeOffset += data.byteLength;
    resourceName = ""; // once is enough, and saves 100 bytes per message
    if (!upload.call.write(request)) await drained(upload);
  }
  if (blob.sizeBytes === 0) {
    const data = Buffer.alloc(0);
    upload.call.write({ resourceName, writeOffset, finishWrite: true, data });
  }
  upload.call.end();
}

function drained(upload: Upload): Promise<void> {
  return new Promise((resolve) => {
    if (upload.answered) resolve();
    else upload.call.once("drain", resolve);
  });
}

async function* split(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const data of source) {
    for (let at = 0; at < data.byteLength; at += pieceSizeBytes) {
      yield data.subarray(at, at + pieceSizeBytes);
    }
  }
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
