import {
  type BatchReadBlobsRequest,
  type BatchReadBlobsResponse,
  type BatchUpdateBlobsRequest,
  type BatchUpdateBlobsRequest_Request,
  type BatchUpdateBlobsResponse_Response,
  Compressor_Value,
  Directory,
  type FindMissingBlobsRequest,
  type GetTreeRequest,
  type GetTreeResponse,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type CasContext,
  type ContentAddressableStorage,
  casServiceDefinition,
} from "../cas/index.js";
import {
  checkDigestFunction,
  Digest,
  parseInstanceName,
} from "../digest/index.js";
import {
  type CallContext,
  type ErrorSink,
  type GrpcService,
  implementServerStream,
  implementUnary,
  statusToProto,
} from "../grpc/index.js";
import { Code, StatusError, toStatusError, wrap } from "../status/index.js";

/** Directories per message of GetTree, when the caller does not say. */
const defaultPageSize = 500;

/** Directories that GetTree gives at most; a client that needs more walks. */
const maximumTreeDirectories = 200_000;

/** What the face needs. */
export interface CasServiceOptions {
  cas: ContentAddressableStorage;
  /** Bound of a batch, as the capabilities say, in bytes. */
  maximumBatchBytes: number;
  sink: ErrorSink;
}

/** The ContentAddressableStorage service over any store. */
export function createContentAddressableStorageService(
  options: CasServiceOptions,
): GrpcService {
  const { sink } = options;
  return {
    definition: casServiceDefinition,
    implementation: {
      findMissingBlobs: implementUnary(
        (request: FindMissingBlobsRequest, call: CallContext) =>
          findMissing(options, request, call),
        sink,
      ),
      batchUpdateBlobs: implementUnary(
        (request: BatchUpdateBlobsRequest, call: CallContext) =>
          updateBlobs(options, request, call),
        sink,
      ),
      batchReadBlobs: implementUnary(
        (request: BatchReadBlobsRequest, call: CallContext) =>
          readBlobs(options, request, call),
        sink,
      ),
      getTree: implementServerStream(
        (request: GetTreeRequest, call: CallContext) =>
          getTree(options, request, call),
        sink,
      ),
    },
  };
}

function contextOf(
  request: Pick<FindMissingBlobsRequest, "instanceName" | "digestFunction">,
  call: CallContext,
): CasContext {
  checkDigestFunction(request.digestFunction);
  return {
    instanceName: parseInstanceName(request.instanceName),
    signal: call.signal,
  };
}

async function findMissing(
  { cas }: CasServiceOptions,
  request: FindMissingBlobsRequest,
  call: CallContext,
) {
  const digests = request.blobDigests.map((digest) =>
    Digest.fromProto(digest, "blob_digests"),
  );
  const missing = await cas.findMissing(digests, contextOf(request, call));
  return { missingBlobDigests: missing.map((digest) => digest.toProto()) };
}

async function updateBlobs(
  options: CasServiceOptions,
  request: BatchUpdateBlobsRequest,
  call: CallContext,
) {
  const context = contextOf(request, call);
  const sizes = request.requests.map(({ data }) => data.byteLength);
  checkBatchSize(sizes, options.maximumBatchBytes);
  const responses = await Promise.all(
    request.requests.map((blob) => updateBlob(options.cas, blob, context)),
  );
  return { responses };
}

async function updateBlob(
  cas: ContentAddressableStorage,
  { digest, data, compressor }: BatchUpdateBlobsRequest_Request,
  context: CasContext,
): Promise<BatchUpdateBlobsResponse_Response> {
  try {
    const wanted = Digest.fromProto(digest, "digest");
    if (compressor !== Compressor_Value.IDENTITY) {
      throw new StatusError(
        Code.InvalidArgument,
        "Blobs must be sent without compression",
      );
    }
    const got = Digest.of(data);
    if (!wanted.equals(got)) {
      throw new StatusError(
        Code.InvalidArgument,
        `Blob "${wanted}" was sent with bytes of digest "${got}"`,
      );
    }
    await cas.write(data, context, got);
    return { digest, status: { code: Code.Ok, message: "", details: [] } };
  } catch (error) {
    return { digest, status: statusToProto(toStatusError(error)) };
  }
}

async function readBlobs(
  options: CasServiceOptions,
  request: BatchReadBlobsRequest,
  call: CallContext,
): Promise<BatchReadBlobsResponse> {
  const context = contextOf(request, call);
  // A size that cannot be must not make room for others.
  const sizes = request.digests.map(({ sizeBytes }) => Math.max(0, sizeBytes));
  checkBatchSize(sizes, options.maximumBatchBytes);
  const responses = await Promise.all(
    request.digests.map(async (digest) => {
      const response = { digest, compressor: Compressor_Value.IDENTITY };
      try {
        const wanted = Digest.fromProto(digest, "digests");
        const data = await options.cas.read(wanted, context);
        const status = { code: Code.Ok, message: "", details: [] };
        return { ...response, data, status };
      } catch (error) {
        const status = statusToProto(toStatusError(error));
        return { ...response, data: Buffer.alloc(0), status };
      }
    }),
  );
  return { responses };
}

function checkBatchSize(sizes: readonly number[], limit: number): void {
  const sum = sizes.reduce((total, size) => total + size, 0);
  if (sum <= limit) return;
  throw new StatusError(
    Code.InvalidArgument,
    `A batch must hold at most ${limit} bytes: it holds ${sum}`,
  );
}

async function* getTree(
  { cas }: CasServiceOptions,
  request: GetTreeRequest,
  call: CallContext,
): AsyncGenerator<GetTreeResponse> {
  const context = contextOf(request, call);
  const pageSize = request.pageSize > 0 ? request.pageSize : defaultPageSize;
  const queue = [Digest.fromProto(request.rootDigest, "root_digest")];
  const seen = new Set(queue.map(({ key }) => key));
  let directories: Directory[] = [];
  for (let digest = queue.shift(); digest; digest = queue.shift()) {
    const directory = await readDirectory(cas, digest, context);
    directories.push(directory);
    for (const node of directory.directories) {
      const child = Digest.fromProto(node.digest, "DirectoryNode.digest");
      if (!seen.has(child.key)) queue.push(child);
      seen.add(child.key);
    }
    if (seen.size > maximumTreeDirectories) throw tooLarge();
    if (directories.length >= pageSize) {
      yield { directories, nextPageToken: "" };
      directories = [];
    }
  }
  if (directories.length > 0) yield { directories, nextPageToken: "" };
}

function tooLarge(): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `A tree must hold at most ${maximumTreeDirectories} directories`,
  );
}

async function readDirectory(
  cas: ContentAddressableStorage,
  digest: Digest,
  context: CasContext,
): Promise<Directory> {
  const data = await cas.read(digest, context);
  try {
    return Directory.decode(data);
  } catch (error) {
    throw wrap(
      error,
      `Failed to decode Directory "${digest}"`,
      Code.InvalidArgument,
    );
  }
}
