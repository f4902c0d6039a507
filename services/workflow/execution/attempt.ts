import { setTimeout as sleep } from "node:timers/promises";
import type { Metadata } from "@grpc/grpc-js";
import { ExecuteResponse } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext } from "../../../lib/cas/index.js";
import {
  Code,
  isRetryable,
  StatusError,
  toStatusError,
} from "../../../lib/status/index.js";
import type { AttemptOutcome } from "../model/job-event.js";
import type { StepSpecification } from "../model/step.js";
import { outcomeOfError, outcomeOfResponse } from "./attempt-outcome.js";
import {
  type ActionSettings,
  type BuiltAction,
  buildAction,
  type ReadyStep,
} from "./build-action.js";
import { findCachedResult } from "./find-cached-result.js";
import type { Progress, RemoteEngine } from "./remote-engine.js";
import { stepResultOf } from "./step-result.js";

/** How long an engine may be away before an attempt counts as broken. */
const connectTimeoutMs = 20_000;
const reconnectTimeoutMs = 120_000;

/** Between attempts to reach it again. */
const reconnectDelayMs = 250;

/** How long a cancelled action may take to end. */
const cancelGraceMs = 30_000;

/** Where an attempt begins. */
export type AttemptStart =
  | { readonly kind: "begin"; readonly step: ReadyStep }
  /** After a restart of ours. */
  | {
      readonly kind: "resume";
      readonly specification: StepSpecification;
      readonly operation: string;
    };

/** What an attempt needs besides. */
export interface AttemptOptions {
  readonly engine: RemoteEngine;
  readonly settings: ActionSettings;
  /** Headers for the engine: whose action this is. */
  readonly metadata: Metadata;
  /** Told whenever the engine tells something. */
  readonly onProgress: (progress: Progress) => void;
  /**
   * Settles when it is written down that the attempt begins, with whether the
   * job still wants it. CAS is filled meanwhile; the engine is asked after it.
   */
  readonly begun: Promise<boolean>;
  /** Told when the engine is about to be asked. */
  readonly onSent: () => void;
  /** Aborted when the program has to be stopped. */
  readonly cancel: AbortSignal;
  /** Aborted when we end; the program goes on. */
  readonly stop: AbortSignal;
}

/**
 * Has the engine run a step once, and waits for its end through lost
 * connections. Throws only when `stop` is aborted: with its reason. What it
 * gives means nothing where `begun` says that the attempt is not wanted.
 */
export async function runAttempt(
  start: AttemptStart,
  options: AttemptOptions,
): Promise<AttemptOutcome> {
  const attempt = new Attempt(start, options);
  try {
    return await attempt.run();
  } catch (thrown) {
    options.stop.throwIfAborted();
    const error = toStatusError(thrown);
    if (options.cancel.aborted) return { kind: "cancelled", result: undefined };
    return outcomeOfError(error, attempt.mayHaveRun);
  } finally {
    attempt.end();
  }
}

class Attempt {
  /** Whether the engine may have started the program. */
  mayHaveRun = false;
  readonly #start: AttemptStart;
  readonly #options: AttemptOptions;
  #operation: string | undefined;
  #hasExecuted = false;
  #isCancelSent = false;
  /** Ends the following: we stop, or a cancelled action does not end. */
  readonly #leave = new AbortController();
  readonly #onStop = () => this.#leave.abort(this.#options.stop.reason);
  readonly #onCancel = () => this.#cancel();
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(start: AttemptStart, options: AttemptOptions) {
    this.#start = start;
    this.#options = options;
    options.stop.addEventListener("abort", this.#onStop);
    options.cancel.addEventListener("abort", this.#onCancel);
    if (options.stop.aborted) this.#onStop();
  }

  end(): void {
    clearTimeout(this.#graceTimer);
    this.#options.stop.removeEventListener("abort", this.#onStop);
    this.#options.cancel.removeEventListener("abort", this.#onCancel);
  }

  async run(): Promise<AttemptOutcome> {
    const { cancel, settings, begun } = this.#options;
    const start = this.#start;
    let response: ExecuteResponse;
    if (start.kind === "begin") {
      const action = buildAction(start.step, settings);
      const [isWanted, cached] = await Promise.all([
        begun,
        this.#prepare(start.step, action),
      ]);
      if (!isWanted) throw unwanted();
      cancel.throwIfAborted();
      if (cached !== undefined) {
        return { kind: "ended", result: await this.#resultOf(cached) };
      }
      this.mayHaveRun = true;
      this.#options.onSent();
      response = await this.#execute(start.step, action);
    } else {
      this.mayHaveRun = true;
      this.#operation = start.operation;
      if (cancel.aborted) this.#cancel();
      response = await this.#wait();
    }
    return outcomeOfResponse(response, {
      isCancelled: cancel.aborted,
      hasExecuted: this.#hasExecuted,
      toResult: (answer) => this.#resultOf(answer),
    });
  }

  /**
   * Makes the action ready to be executed, unless its result is known: then
   * that. Not every scheduler looks into the action cache; Buildbarn's leaves
   * it to its clients.
   */
  async #prepare(
    step: ReadyStep,
    action: BuiltAction,
  ): Promise<ExecuteResponse | undefined> {
    const { engine } = this.#options;
    await engine.ready(new Date(Date.now() + connectTimeoutMs));
    if (step.specification.cache) {
      const context = {
        instanceName: engine.instanceName,
        signal: this.#leave.signal,
      };
      const result = await findCachedResult(engine, action.digest, context);
      if (result !== undefined) {
        return ExecuteResponse.fromPartial({ result, cachedResult: true });
      }
    }
    await this.#upload(step, action);
    return undefined;
  }

  /**
   * Writes the action, without asking first what CAS lacks: that takes longer
   * than these few bytes do. Data of other steps must be there.
   */
  async #upload(step: ReadyStep, { blobs }: BuiltAction): Promise<void> {
    const { cas, instanceName } = this.#options.engine;
    const context = { instanceName, signal: this.#leave.signal };
    await Promise.all([
      this.#checkData(step, context),
      ...blobs.map(({ digest, data }) => cas.write(data, context, digest)),
    ]);
  }

  async #checkData(step: ReadyStep, context: CasContext): Promise<void> {
    const { stdin, inputs } = step.specification.work;
    const sources = inputs.map(({ from }) => from);
    if (stdin !== undefined) sources.push(stdin);
    if (sources.length === 0) return;
    const data = sources.map((source) => step.data(source).digest);
    const { cas } = this.#options.engine;
    const missing = await cas.findMissing(data, context);
    const keys = new Set(missing.map(({ key }) => key));
    const gone = sources.find((_, at) => keys.has(data[at]?.key ?? ""));
    if (gone === undefined) return;
    throw new StatusError(
      Code.NotFound,
      `Output "${gone.output}" of step "${gone.step}" is no longer in CAS: submit the job anew, and give CAS more room`,
    );
  }

  async #execute(
    { specification }: ReadyStep,
    { digest }: BuiltAction,
  ): Promise<ExecuteResponse> {
    const { engine, metadata } = this.#options;
    try {
      return await engine.execute(
        { digest, mayBeCached: specification.cache, metadata },
        this.#following(),
      );
    } catch (thrown) {
      if (this.#operation === undefined) throw thrown;
      this.#checkReconnectable(thrown);
      return this.#wait();
    }
  }

  /** Follows the operation through restarts of network and engine. */
  async #wait(): Promise<ExecuteResponse> {
    const { engine, metadata } = this.#options;
    const end = Date.now() + reconnectTimeoutMs;
    for (;;) {
      try {
        const operation = this.#operation ?? "";
        return await engine.wait(operation, metadata, this.#following());
      } catch (thrown) {
        this.#checkReconnectable(thrown);
        if (Date.now() > end) throw thrown;
        const { signal } = this.#leave;
        await sleep(reconnectDelayMs, undefined, { signal });
      }
    }
  }

  #checkReconnectable(thrown: unknown): void {
    this.#leave.signal.throwIfAborted();
    const error = toStatusError(thrown);
    if (error.code === Code.NotFound) {
      throw new StatusError(
        Code.Unavailable,
        "The engine knows the operation no longer: it was restarted, or was left alone too long",
        { cause: error },
      );
    }
    // A cut stream is told as Internal or Unknown by some of the ways.
    const isCut =
      isRetryable(error.code) ||
      error.code === Code.Internal ||
      error.code === Code.Unknown;
    if (!isCut) throw error;
  }

  #following() {
    return {
      signal: this.#leave.signal,
      onProgress: (progress: Progress) => {
        this.#operation = progress.operation;
        this.#hasExecuted ||= progress.isExecuting;
        this.#options.onProgress(progress);
        if (this.#options.cancel.aborted) this.#cancel();
      },
    };
  }

  /** Has the engine stop the action, as soon as its name is known. */
  #cancel(): void {
    this.#graceTimer ??= setTimeout(
      () => this.#leave.abort(this.#options.cancel.reason),
      cancelGraceMs,
    );
    if (this.#operation === undefined || this.#isCancelSent) return;
    this.#isCancelSent = true;
    const deadline = new Date(Date.now() + cancelGraceMs);
    this.#options.engine
      .cancel(this.#operation, deadline)
      // An engine that cannot be told ends what nobody waits for.
      .catch(() => this.#leave.abort(this.#options.cancel.reason));
  }

  #resultOf({ result, cachedResult }: ExecuteResponse) {
    const start = this.#start;
    const { cas, instanceName } = this.#options.engine;
    if (result === undefined) {
      throw new StatusError(Code.Internal, "The response has no result");
    }
    return stepResultOf(result, {
      specification:
        start.kind === "begin" ? start.step.specification : start.specification,
      cached: cachedResult,
      cas,
      context: { instanceName, signal: this.#leave.signal },
    });
  }
}

function unwanted(): StatusError {
  return new StatusError(Code.Cancelled, "The attempt is not wanted any more");
}
