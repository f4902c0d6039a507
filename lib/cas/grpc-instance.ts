import {
  Compressor_Value,
  DigestFunction_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Status } from "#proto/google/rpc/status.js";
import { Digest, type InstanceName } from "../digest/index.js";
import { callUnary, statusFromProto } from "../grpc/index.js";
import { Code, StatusError, toStatusError, wrap } from "../status/index.js";
import { type Batcher, type BatchOutcome, createBatcher } from "./batcher.js";
import type { GrpcCasClients } from "./grpc-clients.js";
import { blobNotFound, verifyBytes } from "./verify.js";

/** Digests per FindMissingBlobs: 75 KB, which any peer takes. */
export const maximumDigestsPerCall: number = 1_000;

/** Blobs per batch; tiny ones would otherwise make calls of seconds. */
const maximumBlobsPerCall = 4_000;

/** Digest, field tags and status beside a blob's bytes in a message. */
const blobOverheadBytes = 128;

/** gRPC's default limit of a message, less its envelope. */
const maximumMessageBytes = 4 * 2 ** 20 - 4_096;

/**
 * Few calls at a time make large batches: with two, one is on its way while
 * the other's answer is read.
 */
const maximumInFlight = 2;

/** One instance name of a peer: its limits, and the batches towards it. */
export interface GrpcInstance {
  /** Larger blobs go by ByteStream. */
  readonly maximumBatchedBlobBytes: number;
  readonly findMissing: Batcher<readonly Digest[], ReadonlySet<string>>;
  readonly read: Batcher<Digest, Buffer>;
  readonly write: Batcher<GrpcUpload, void>;
}

/** A small blob to store. */
export interface GrpcUpload {
  readonly digest: Digest;
  readonly data: Uint8Array;
}

/** Asks the peer for its limits, and makes the batchers that keep them. */
export async function openGrpcInstance(
  clients: GrpcCasClients,
  instanceName: InstanceName,
  { timeoutMs, gatherMs }: { timeoutMs: number; gatherMs: number },
): Promise<GrpcInstance> {
  const maximumSize = await batchLimit(clients, instanceName, timeoutMs);
  const scope: Scope = { clients, instanceName, timeoutMs };
  const common = { maximumInFlight, gatherMs };
  const blobs = { ...common, maximumSize, maximumItems: maximumBlobsPerCall };
  return {
    maximumBatchedBlobBytes: maximumSize - blobOverheadBytes,
    findMissing: createBatcher({
      ...common,
      maximumSize: maximumDigestsPerCall,
      maximumItems: maximumDigestsPerCall,
      sizeOf: (digests: readonly Digest[]) => digests.length,
      send: (groups, signal) => findMissing(scope, groups, signal),
    }),
    read: createBatcher({
      ...blobs,
      sizeOf: ({ sizeBytes }: Digest) => sizeBytes + blobOverheadBytes,
      send: (digests, signal) => readBlobs(scope, digests, signal),
    }),
    write: createBatcher({
      ...blobs,
      sizeOf: ({ data }: GrpcUpload) => data.byteLength + blobOverheadBytes,
      send: (uploads, signal) => writeBlobs(scope, uploads, signal),
    }),
  };
}

interface Scope {
  readonly clients: GrpcCasClients;
  readonly instanceName: InstanceName;
  readonly timeoutMs: number;
}

const digestFunction = DigestFunction_Value.SHA256;

function settings(scope: Scope, signal?: AbortSignal) {
  return { signal, deadline: new Date(Date.now() + scope.timeoutMs) };
}

async function batchLimit(
  clients: GrpcCasClients,
  instanceName: InstanceName,
  timeoutMs: number,
): Promise<number> {
  const { capabilities } = clients;
  const method = capabilities.getCapabilities.bind(capabilities);
  const scope = { clients, instanceName, timeoutMs };
  try {
    const answer = await callUnary(method, { instanceName }, settings(scope));
    const limit = answer.cacheCapabilities?.maxBatchTotalSizeBytes ?? 0;
    // 0 means no limit but that of messages.
    return limit > 0
      ? Math.min(limit, maximumMessageBytes)
      : maximumMessageBytes;
  } catch (error) {
    // A bare CAS without this service keeps gRPC's own limit.
    if (toStatusError(error).code === Code.Unimplemented) {
      return maximumMessageBytes;
    }
    throw wrap(error, "Failed to get capabilities");
  }
}

async function findMissing(
  scope: Scope,
  groups: readonly (readonly Digest[])[],
  signal: AbortSignal,
): Promise<BatchOutcome<ReadonlySet<string>>[]> {
  const { cas } = scope.clients;
  const unique = new Map(groups.flat().map((digest) => [digest.key, digest]));
  const request = {
    instanceName: scope.instanceName,
    blobDigests: [...unique.values()].map((digest) => digest.toProto()),
    digestFunction,
  };
  const answer = await callUnary(
    cas.findMissingBlobs.bind(cas),
    request,
    settings(scope, signal),
  );
  const missing = new Set(
    answer.missingBlobDigests.map(
      (digest) => Digest.fromProto(digest, "missing_blob_digests").key,
    ),
  );
  return groups.map(() => ({ value: missing }));
}

async function readBlobs(
  scope: Scope,
  digests: readonly Digest[],
  signal: AbortSignal,
): Promise<BatchOutcome<Buffer>[]> {
  const { cas } = scope.clients;
  const unique = new Map(digests.map((digest) => [digest.key, digest]));
  const request = {
    instanceName: scope.instanceName,
    digests: [...unique.values()].map((digest) => digest.toProto()),
    acceptableCompressors: [Compressor_Value.IDENTITY],
    digestFunction,
  };
  const answer = await callUnary(
    cas.batchReadBlobs.bind(cas),
    request,
    settings(scope, signal),
  );
  const outcomes = new Map<string, BatchOutcome<Buffer>>();
  for (const { digest, data, status } of answer.responses) {
    const wanted = unique.get(`${digest?.hash}-${digest?.sizeBytes}`);
    if (wanted === undefined) continue;
    outcomes.set(
      wanted.key,
      outcome(status, () => checked(wanted, data)),
    );
  }
  return digests.map(
    (digest) => outcomes.get(digest.key) ?? { error: blobNotFound(digest) },
  );
}

function checked(digest: Digest, data: Uint8Array): Buffer {
  verifyBytes(digest, data);
  // The message's buffer holds the whole batch: a small blob that is kept
  // must not keep megabytes with it.
  return Buffer.from(data);
}

async function writeBlobs(
  scope: Scope,
  uploads: readonly GrpcUpload[],
  signal: AbortSignal,
): Promise<BatchOutcome<void>[]> {
  const { cas } = scope.clients;
  const unique = new Map(uploads.map((upload) => [upload.digest.key, upload]));
  const request = {
    instanceName: scope.instanceName,
    requests: [...unique.values()].map(({ digest, data }) => ({
      digest: digest.toProto(),
      data,
      compressor: Compressor_Value.IDENTITY,
    })),
    digestFunction,
  };
  const answer = await callUnary(
    cas.batchUpdateBlobs.bind(cas),
    request,
    settings(scope, signal),
  );
  const outcomes = new Map<string, BatchOutcome<void>>();
  for (const { digest, status } of answer.responses) {
    const key = `${digest?.hash}-${digest?.sizeBytes}`;
    outcomes.set(
      key,
      outcome(status, () => {}),
    );
  }
  return uploads.map(
    ({ digest }) => outcomes.get(digest.key) ?? { error: unanswered(digest) },
  );
}

function outcome<T>(
  status: Status | undefined,
  value: () => T,
): BatchOutcome<T> {
  if (status !== undefined && status.code !== Code.Ok) {
    return { error: statusFromProto(status) };
  }
  try {
    return { value: value() };
  } catch (error) {
    return { error };
  }
}

function unanswered(digest: Digest): StatusError {
  return new StatusError(
    Code.Internal,
    `The answer to BatchUpdateBlobs says nothing about blob "${digest}"`,
  );
}
