import type {
  QueryWriteStatusRequest,
  ReadRequest,
  ReadResponse,
  WriteRequest,
  WriteResponse,
} from "#proto/google/bytestream/bytestream.js";
import {
  byteStreamServiceDefinition,
  type ContentAddressableStorage,
  parseReadResourceName,
  parseWriteResourceName,
} from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import {
  type CallContext,
  type ErrorSink,
  type GrpcService,
  implementClientStream,
  implementServerStream,
  implementUnary,
} from "../grpc/index.js";
import { Code, StatusError, toStatusError, wrap } from "../status/index.js";
import { withIdleDeadline } from "./idle-deadline.js";

/** What a service may give to be read beside whole blobs. */
export interface ByteStreamReading {
  /**
   * Opens a blob from an offset on, where the store can do better than to
   * read what comes before it.
   */
  openFrom?(digest: Digest, offset: number): AsyncIterable<Uint8Array>;
  /**
   * Reads from names that are no blobs', as the request says; undefined for
   * other names. May throw.
   */
  readOther?(
    request: ReadRequest,
    call: CallContext,
  ): AsyncIterable<Uint8Array> | undefined;
}

/** The ByteStream service over any store (REAPI's resource names). */
export function createByteStreamService(
  options: {
    cas: ContentAddressableStorage;
    /** Longest silence of an upload. */
    uploadIdleMs: number;
    sink: ErrorSink;
  } & ByteStreamReading,
): GrpcService {
  const { cas, sink, uploadIdleMs } = options;
  return {
    definition: byteStreamServiceDefinition,
    implementation: {
      read: implementServerStream(
        (request: ReadRequest, call: CallContext) =>
          read(options, request, call),
        sink,
      ),
      write: implementClientStream(
        (requests: AsyncIterable<WriteRequest>, call: CallContext) =>
          write(cas, withIdleDeadline(requests, uploadIdleMs), call),
        sink,
      ),
      queryWriteStatus: implementUnary(
        (request: QueryWriteStatusRequest, call: CallContext) =>
          queryWriteStatus(cas, request, call),
        sink,
      ),
    },
  };
}

async function* read(
  options: { cas: ContentAddressableStorage } & ByteStreamReading,
  request: ReadRequest,
  call: CallContext,
): AsyncGenerator<ReadResponse> {
  const other = options.readOther?.(request, call);
  if (other !== undefined) {
    for await (const piece of other) yield { data: piece };
    return;
  }
  yield* readBlob(options, request, call);
}

async function* readBlob(
  { cas, openFrom }: { cas: ContentAddressableStorage } & ByteStreamReading,
  request: ReadRequest,
  { signal }: CallContext,
): AsyncGenerator<ReadResponse> {
  const { instanceName, digest } = parseReadResourceName(request.resourceName);
  const { readOffset, readLimit } = request;
  if (readOffset < 0 || readOffset > digest.sizeBytes || readLimit < 0) {
    throw new StatusError(
      Code.OutOfRange,
      `Offset must be from 0 to ${digest.sizeBytes} and limit not negative: current values are ${readOffset} and ${readLimit}`,
    );
  }
  const context = { instanceName, signal };
  const pieces = openFrom?.(digest, readOffset) ?? cas.open(digest, context);
  let skip = openFrom === undefined ? readOffset : 0;
  let left = readLimit === 0 ? Number.POSITIVE_INFINITY : readLimit;
  for await (const piece of pieces) {
    const data = piece
      .subarray(skip)
      .subarray(0, Math.min(left, piece.byteLength));
    skip = Math.max(0, skip - piece.byteLength);
    left -= data.byteLength;
    if (data.byteLength > 0) yield { data };
    if (left === 0) return;
  }
}

async function write(
  cas: ContentAddressableStorage,
  requests: AsyncIterable<WriteRequest>,
  { signal }: CallContext,
): Promise<WriteResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true) {
    throw new StatusError(Code.InvalidArgument, "A write has no message");
  }
  const { resourceName } = first.value;
  const { instanceName, digest } = parseWriteResourceName(resourceName);
  let started = false;
  // Not called at all for a blob that is held: the answer then comes at once,
  // and the client need not send the rest (REAPI, ByteStream.Write).
  function openSource(): AsyncIterable<Uint8Array> {
    if (started) throw new RangeError("An upload can be read only once");
    started = true;
    return pieces(first.value, messages, digest);
  }
  await cas
    .writeStream(digest, openSource, { instanceName, signal })
    .catch((error: unknown) => {
      const { code } = toStatusError(error);
      // Here wrong bytes are the caller's, not a store's that lost them.
      if (code !== Code.DataLoss) throw error;
      throw wrap(error, "Failed to write", Code.InvalidArgument);
    });
  return { committedSize: digest.sizeBytes };
}

async function* pieces(
  first: WriteRequest,
  messages: AsyncIterator<WriteRequest>,
  digest: Digest,
): AsyncGenerator<Uint8Array> {
  let expectedOffset = 0;
  let finished = false;
  let message = first;
  for (;;) {
    if (message.writeOffset !== expectedOffset || finished) {
      throw new StatusError(
        Code.InvalidArgument,
        `Offset of a write to blob "${digest}" must be ${expectedOffset}: current value is ${message.writeOffset}`,
      );
    }
    expectedOffset += message.data.byteLength;
    finished = message.finishWrite;
    if (message.data.byteLength > 0) yield message.data;
    if (finished) return;
    const next = await messages.next();
    if (next.done === true) {
      throw new StatusError(
        Code.InvalidArgument,
        `The write of blob "${digest}" ended without finish_write`,
      );
    }
    message = next.value;
  }
}

async function queryWriteStatus(
  cas: ContentAddressableStorage,
  request: QueryWriteStatusRequest,
  { signal }: CallContext,
) {
  const { instanceName, digest } = parseWriteResourceName(request.resourceName);
  const missing = await cas.findMissing([digest], { instanceName, signal });
  // Half an upload is never kept: it begins again at 0.
  return missing.length === 0
    ? { committedSize: digest.sizeBytes, complete: true }
    : { committedSize: 0, complete: false };
}
