import { expect, test } from "@jest/globals";
import {
  BatchReadBlobsResponse,
  BatchUpdateBlobsRequest,
  Compressor_Value,
  DigestFunction_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  ReadResponse,
  WriteRequest,
} from "#proto/google/bytestream/bytestream.js";
import { Digest } from "../digest/index.js";
import {
  byteStreamServiceDefinition,
  casServiceDefinition,
} from "./blob-messages.js";

/** Lengths around those where a length takes one more byte. */
const blobs = [0, 1, 50, 127, 128, 16_383, 16_384, 70_000].map((length) =>
  Buffer.alloc(length, "blob"),
);

test("casServiceDefinition writes BatchUpdateBlobsRequest as the generated code does", () => {
  const message = BatchUpdateBlobsRequest.fromPartial({
    instanceName: "main",
    requests: blobs.map((data) => ({
      digest: Digest.of(data).toProto(),
      data,
      compressor: Compressor_Value.IDENTITY,
    })),
    digestFunction: DigestFunction_Value.SHA256,
  });
  const { requestSerialize } = casServiceDefinition.batchUpdateBlobs;
  const written = requestSerialize(message);
  const generated = BatchUpdateBlobsRequest.encode(message).finish();
  expect(written.byteLength).toBe(generated.byteLength);
  expect(BatchUpdateBlobsRequest.decode(written)).toEqual(
    BatchUpdateBlobsRequest.decode(Buffer.from(generated)),
  );
});

test("casServiceDefinition writes BatchReadBlobsResponse as the generated code does", () => {
  const message = BatchReadBlobsResponse.fromPartial({
    responses: blobs.map((data) => ({
      digest: Digest.of(data).toProto(),
      data,
      status: { code: data.length % 17, message: "a text" },
    })),
  });
  const { responseSerialize } = casServiceDefinition.batchReadBlobs;
  const written = responseSerialize(message);
  const generated = BatchReadBlobsResponse.encode(message).finish();
  expect(written.byteLength).toBe(generated.byteLength);
  expect(BatchReadBlobsResponse.decode(written)).toEqual(
    BatchReadBlobsResponse.decode(Buffer.from(generated)),
  );
});

test.each(blobs)(
  "byteStreamServiceDefinition writes what the generated code does (%#)",
  (data) => {
    const { read, write } = byteStreamServiceDefinition;
    const answer = ReadResponse.fromPartial({ data });
    expect(read.responseSerialize(answer)).toEqual(
      Buffer.from(ReadResponse.encode(answer).finish()),
    );
    const request = WriteRequest.fromPartial({
      resourceName: "uploads/1/blobs/2/3",
      writeOffset: 2 ** 40,
      finishWrite: true,
      data,
    });
    expect(write.requestSerialize(request)).toEqual(
      Buffer.from(WriteRequest.encode(request).finish()),
    );
  },
);
