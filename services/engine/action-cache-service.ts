import {
  ActionCacheService,
  type ActionResult,
  type GetActionResultRequest,
  type UpdateActionResultRequest,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ActionCache } from "../../lib/action-cache/index.js";
import type { ContentAddressableStorage } from "../../lib/cas/index.js";
import {
  checkDigestFunction,
  Digest,
  parseInstanceName,
} from "../../lib/digest/index.js";
import {
  type CallContext,
  type ErrorSink,
  type GrpcService,
  implementUnary,
} from "../../lib/grpc/index.js";
import { Code, StatusError } from "../../lib/status/index.js";
import { withInlineContents } from "./inline-contents.js";

/** What the face needs. */
export interface ActionCacheServiceOptions {
  readonly actionCache: ActionCache;
  readonly cas: ContentAddressableStorage;
  /** Whether callers may write results: those are claims, not proofs. */
  readonly updates: boolean;
  readonly sink: ErrorSink;
}

/** The ActionCache service. */
export function createActionCacheService(
  options: ActionCacheServiceOptions,
): GrpcService {
  return {
    definition: ActionCacheService,
    implementation: {
      getActionResult: implementUnary(
        (request: GetActionResultRequest, call: CallContext) =>
          getActionResult(options, request, call),
        options.sink,
      ),
      updateActionResult: implementUnary(
        (request: UpdateActionResultRequest, call: CallContext) =>
          updateActionResult(options, request, call),
        options.sink,
      ),
    },
  };
}

async function getActionResult(
  { actionCache, cas }: ActionCacheServiceOptions,
  request: GetActionResultRequest,
  { signal }: CallContext,
): Promise<ActionResult> {
  checkDigestFunction(request.digestFunction);
  const instanceName = parseInstanceName(request.instanceName);
  const context = { instanceName, signal };
  const digest = Digest.fromProto(request.actionDigest, "action_digest");
  const result = await actionCache.get(digest, context);
  if (result === undefined) {
    throw new StatusError(
      Code.NotFound,
      `Action cache has no result for action "${digest}"`,
    );
  }
  return withInlineContents(result, request, { cas, context });
}

async function updateActionResult(
  { actionCache, updates }: ActionCacheServiceOptions,
  request: UpdateActionResultRequest,
  { signal }: CallContext,
): Promise<ActionResult> {
  checkDigestFunction(request.digestFunction);
  const instanceName = parseInstanceName(request.instanceName);
  const digest = Digest.fromProto(request.actionDigest, "action_digest");
  if (!updates) {
    throw new StatusError(
      Code.PermissionDenied,
      "Action results must not be written here: the configuration allows it on other addresses only, or not at all",
    );
  }
  const { actionResult } = request;
  if (actionResult === undefined) {
    throw new StatusError(Code.InvalidArgument, "No action_result given");
  }
  await actionCache.put(digest, actionResult, { instanceName, signal });
  return actionResult;
}
