import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { closedSignal } from "../closed-signal.js";
import type { HttpContext } from "../http-context.js";
import { HttpError } from "../http-error.js";
import { type ByteRange, parseByteRange } from "./byte-range.js";

/** Bytes that a client may want a part of. */
export interface ByteContent {
  /** Undefined while more is being written. */
  readonly sizeBytes: number | undefined;
  /** Whether what is still to be written is waited for. */
  readonly isFollowed: boolean;
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** How much of a content that grows is given for a range that has no end. */
const maximumPart = 2 ** 20;

/** RFC 8673: where a content grows, this stands for its end. */
const farAway = Number.MAX_SAFE_INTEGER;

/**
 * Answers GET and HEAD with bytes, in part where a Range header asks for it.
 * A content that is followed is sent as it grows, and its connection breaks
 * where the rest cannot be had: half is never taken for whole.
 */
export async function sendBytes(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  content: ByteContent,
  context: Pick<HttpContext, "sink" | "slots" | "stopping">,
): Promise<FastifyReply> {
  reply.header("accept-ranges", "bytes");
  if (request.method === "HEAD") return sendHead(reply, content);
  const range = rangeOf(request, content.sizeBytes);
  const signal = closedSignal(reply);
  switch (range.kind) {
    case "unsatisfiable":
      throw beyondEnd(content.sizeBytes);
    case "all": {
      const { sizeBytes } = content;
      if (sizeBytes !== undefined) reply.header("content-length", sizeBytes);
      const bytes = content.open(0, signal);
      const all = sizeBytes === undefined ? bytes : exactly(bytes, sizeBytes);
      return send({ request, reply }, { content, bytes: all }, context);
    }
    case "part":
      return sendPart({ request, reply, signal }, { content, range }, context);
  }
}

function sendHead(reply: FastifyReply, { sizeBytes }: ByteContent) {
  if (sizeBytes !== undefined) reply.header("content-length", sizeBytes);
  return reply.send();
}

function rangeOf(
  { headers }: FastifyRequest,
  sizeBytes: number | undefined,
): ByteRange {
  // We give no validators, so none can fit (RFC 9110, section 13.1.5).
  const isConditional = headers["if-range"] !== undefined;
  return parseByteRange(isConditional ? undefined : headers.range, sizeBytes);
}

async function sendPart(
  {
    request,
    reply,
    signal,
  }: { request: FastifyRequest; reply: FastifyReply; signal: AbortSignal },
  {
    content,
    range: { first, last },
  }: { content: ByteContent; range: ByteRange & { kind: "part" } },
  context: Pick<HttpContext, "sink" | "slots" | "stopping">,
): Promise<FastifyReply> {
  const bytes = content.open(first, signal);
  const { sizeBytes } = content;
  reply.code(206);
  if (sizeBytes !== undefined && last !== undefined) {
    const length = last - first + 1;
    reply.header("content-range", `bytes ${first}-${last}/${sizeBytes}`);
    reply.header("content-length", length);
    const part = exactly(bytes, length);
    return send({ request, reply }, { content, bytes: part }, context);
  }
  const wanted = (last ?? farAway - 1) - first + 1;
  if (content.isFollowed) {
    reply.header("content-range", `bytes ${first}-${last ?? farAway}/*`);
    const part = atMost(bytes, wanted);
    return send({ request, reply }, { content, bytes: part }, context);
  }
  const part = await collect(atMost(bytes, Math.min(wanted, maximumPart)));
  if (part.length === 0) throw beyondEnd(undefined);
  const end = first + part.length - 1;
  reply.header("content-range", `bytes ${first}-${end}/*`);
  return reply.send(part);
}

function beyondEnd(sizeBytes: number | undefined): HttpError {
  return new HttpError(
    416,
    Code.OutOfRange,
    sizeBytes === undefined
      ? "Nothing was written yet at the start of the range"
      : `The range lies beyond the end: there are ${sizeBytes} bytes`,
    sizeBytes === undefined ? {} : { "content-range": `bytes */${sizeBytes}` },
  );
}

async function send(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  {
    content,
    bytes,
  }: { content: ByteContent; bytes: AsyncIterable<Uint8Array> },
  { sink, slots, stopping }: Pick<HttpContext, "sink" | "slots" | "stopping">,
): Promise<FastifyReply> {
  const isEndless = content.isFollowed && content.sizeBytes === undefined;
  if (!isEndless) {
    return reply.send(streamOf(await begun(bytes), { reply, sink }));
  }
  const free = slots.take(request.tenant.name);
  const stop = () => reply.raw.destroy();
  stopping.addEventListener("abort", stop);
  reply.raw.once("close", () => {
    stopping.removeEventListener("abort", stop);
    free();
  });
  // The reader shall know that it is connected before there is a byte.
  setImmediate(() => {
    if (!reply.raw.headersSent && !reply.raw.destroyed) {
      reply.raw.flushHeaders();
    }
  });
  return reply.send(streamOf(bytes, { reply, sink }));
}

function streamOf(
  bytes: AsyncIterable<Uint8Array>,
  { reply, sink }: { reply: FastifyReply; sink: (error: unknown) => void },
): Readable {
  const stream = Readable.from(bytes, { objectMode: false });
  stream.on("error", (error) => {
    // The connection breaks; when the client broke it, that is no news.
    if (!reply.raw.destroyed) sink(error);
  });
  return stream;
}

/** Waits for the first bytes, so that a failure before them is an answer. */
async function begun(
  bytes: AsyncIterable<Uint8Array>,
): Promise<AsyncIterable<Uint8Array>> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) {
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  })();
}

async function* atMost(
  bytes: AsyncIterable<Uint8Array>,
  length: number,
): AsyncIterable<Uint8Array> {
  let left = length;
  if (left === 0) return;
  for await (const chunk of bytes) {
    yield chunk.subarray(0, left);
    left -= Math.min(chunk.length, left);
    if (left === 0) return;
  }
}

/** Throws DataLoss when there is less: a client counts on what was promised. */
async function* exactly(
  bytes: AsyncIterable<Uint8Array>,
  length: number,
): AsyncIterable<Uint8Array> {
  let sent = 0;
  for await (const chunk of atMost(bytes, length)) {
    sent += chunk.length;
    yield chunk;
  }
  if (sent === length) return;
  throw new StatusError(
    Code.DataLoss,
    `Content ended after ${sent} of ${length} bytes`,
  );
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}
