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
  const { requests } = message;
  const rest = BatchUpdateBlobsRequest.encode({ ...message, requests: [] });
  return Buffer.concat([
    rest.finish(),
    ...requests.flatMap(({ data, ...fields }) => {
      const blob = { ...fields, data: empty };
      const writer = BatchUpdateBlobsRequest_Request.encode(blob);
      return nested(2, lastField(writer, 2, data), data);
    }),
  ]);
}

function encodeBatchRead(message: BatchReadBlobsResponse): Buffer {
  const { responses } = message;
  const rest = BatchReadBlobsResponse.encode({ ...message, responses: [] });
  return Buffer.concat([
    rest.finish(),
    ...responses.flatMap(({ data, ...fields }) => {
      const blob = { ...fields, data: empty };
      const writer = BatchReadBlobsResponse_Response.encode(blob);
      return nested(1, lastField(writer, 2, data), data);
    }),
  ]);
}

function encodeRead({ data, ...fields }: ReadResponse): Buffer {
  const writer = ReadResponse.encode({ ...fields, data: empty });
  return Buffer.concat([lastField(writer, 10, data), data]);
}

function encodeWrite({ data, ...fields }: WriteRequest): Buffer {
  const writer = WriteRequest.encode({ ...fields, data: empty });
  return Buffer.concat([lastField(writer, 10, data), data]);
}

/** What was written, and the head of one more field, whose bytes follow. */
function lastField(
  writer: BinaryWriter,
  field: number,
  data: Uint8Array,
): Uint8Array {
  if (data.byteLength === 0) return writer.finish(); // as proto3 leaves it out
  return writer
    .tag(field, WireType.LengthDelimited)
    .uint32(data.byteLength)
    .finish();
}

/** A message, in two pieces, as a field of another one. */
function nested(field: number, ...pieces: [Uint8Array, Uint8Array]) {
  const size = pieces[0].byteLength + pieces[1].byteLength;
  const head = new BinaryWriter().tag(field, WireType.LengthDelimited);
  return [head.uint32(size).finish(), ...pieces];
}
