import {
  type ActionCacheClient,
  type ActionResult,
  DigestFunction_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type CasContext,
  defaultRetrySettings,
  type RetrySettings,
  retry,
} from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { callUnary } from "../grpc/index.js";
import { Code, toStatusError, wrap } from "../status/index.js";
import type { ActionCache } from "./action-cache.js";

/** Longest call; a peer that hangs is as good as away. */
const callTimeoutMs = 30_000;

const digestFunction = DigestFunction_Value.SHA256;

/** An action cache on the wire; tries again while the peer is Unavailable. */
export class GrpcActionCache implements ActionCache {
  readonly #client: ActionCacheClient;
  readonly #retry: RetrySettings;

  /** The client stays the caller's to close. */
  constructor(
    client: ActionCacheClient,
    options: { retry?: Partial<RetrySettings> } = {},
  ) {
    this.#client = client;
    this.#retry = { ...defaultRetrySettings, ...options.retry };
  }

  async get(
    action: Digest,
    { instanceName, signal }: CasContext,
  ): Promise<ActionResult | undefined> {
    const request = {
      instanceName,
      actionDigest: action.toProto(),
      inlineStdout: true, // what is small enough, the peer may save us a read
      inlineStderr: false,
      inlineOutputFiles: [],
      digestFunction,
    };
    const method = this.#client.getActionResult.bind(this.#client);
    try {
      return await retry(
        () => callUnary(method, request, { signal, deadline: deadline() }),
        this.#retry,
        { signal },
      );
    } catch (error) {
      if (toStatusError(error).code === Code.NotFound) return undefined;
      throw wrap(error, `Failed to get result of action "${action}"`);
    }
  }

  async put(
    action: Digest,
    result: ActionResult,
    { instanceName, signal }: CasContext,
  ): Promise<void> {
    const request = {
      instanceName,
      actionDigest: action.toProto(),
      actionResult: result,
      resultsCachePolicy: undefined,
      digestFunction,
    };
    const method = this.#client.updateActionResult.bind(this.#client);
    try {
      await retry(
        () => callUnary(method, request, { signal, deadline: deadline() }),
        this.#retry,
        { signal },
      );
    } catch (error) {
      throw wrap(error, `Failed to update result of action "${action}"`);
    }
  }
}

function deadline(): Date {
  return new Date(Date.now() + callTimeoutMs);
}
