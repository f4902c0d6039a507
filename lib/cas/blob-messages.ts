import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  BatchReadBlobsResponse,
  BatchReadBlobsResponse_Response,
  BatchUpdateBlobsRequest,
  BatchUpdateBlobsRequest_Request,
  ContentAddressableStorageService,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  ByteStreamService,
  ReadResponse,
  WriteRequest,
} from "#proto/google/bytestream/bytestream.js";

/**
 * The CAS service, whose messages with blobs are put together in one go: the
 * generated code has their bytes in memory five times until they are sent,
 * and the collector of garbage then takes longer than all the rest.
 */
export const casServiceDefinition = {
  ...ContentAddressableStorageService,
  batchUpdateBlobs: {
    ...ContentAddressableStorageService.batchUpdateBlobs,
    requestSerialize: encodeBatchUpdate,
  },
  batchReadBlobs: {
    ...ContentAddressableStorageService.batchReadBlobs,
    responseSerialize: encodeBatchRead,
  },
};

/** The ByteStream service, in the same way. */
export const byteStreamServiceDefinition = {
  ...ByteStreamService,
  read: { ...ByteStreamService.read, responseSerialize: encodeRead },
  write: { ...ByteStreamService.write, requestSerialize: encodeWrite },
};

const empty = new Uint8Array(0);

function encodeBatchUpdate(message: BatchUpdateBlobsRequest): Buffer {
  const rest = BatchUpdateBlobsRequest.encode({ ...message, requests: [] });
  const requests = message.requests.flatMap((blob) =>
    nested(2, pieces(BatchUpdateBlobsRequest_Request, blob, 2)),
  );
  return Buffer.concat([rest.finish(), ...requests]);
}

function encodeBatchRead(message: BatchReadBlobsResponse): Buffer {
  const rest = BatchReadBlobsResponse.encode({ ...message, responses: [] });
  const responses = message.responses.flatMap((blob) =>
    nested(1, pieces(BatchReadBlobsResponse_Response, blob, 2)),
  );
  return Buffer.concat([rest.finish(), ...responses]);
}

function encodeRead(message: ReadResponse): Buffer {
  return Buffer.concat(pieces(ReadResponse, message, 10));
}

function encodeWrite(message: WriteRequest): Buffer {
  return Buffer.concat(pieces(WriteRequest, message, 10));
}

/** A message in two pieces: all that is before its `data`, and those bytes. */
function pieces<Message extends { readonly data: Uint8Array }>(
  { encode }: { encode(message: Message): BinaryWriter },
  message: Message,
  field: number,
): [Uint8Array, Uint8Array] {
  const { data } = message;
  const writer = encode({ ...message, data: empty });
  // Without bytes it is left out, as proto3 does.
  if (data.byteLength > 0) {
    writer.tag(field, WireType.LengthDelimited).uint32(data.byteLength);
  }
  return [writer.finish(), data];
}

/** A message in pieces, as a field of another one. */
function nested(field: number, message: [Uint8Array, Uint8Array]) {
  const [head, data] = message;
  const size = head.byteLength + data.byteLength;
  const writer = new BinaryWriter().tag(field, WireType.LengthDelimited);
  return [writer.uint32(size).finish(), ...message];
}
