import {
  ExecuteOperationMetadata,
  ExecuteResponse,
  type ExecutionStage_Value,
  ExecutionStage_Value as Stage,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Operation as OperationMessage } from "#proto/google/longrunning/operations.js";
import type { Any } from "#proto/google/protobuf/any.js";
import type { Digest, InstanceName } from "../../../lib/digest/index.js";
import { encodeMessage } from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { ActionLogs } from "../logs/action-logs.js";
import { formatLogStreamName } from "../logs/log-stream-name.js";

const anyPrefix = "type.googleapis.com/build.bazel.remote.execution.v2.";

/** When an operation sends and when it ends for lack of interest. */
export interface OperationTimes {
  /** The state is sent again after this long without change. */
  readonly keepaliveMs: number;
  /** It is aborted this long after its last watcher left. */
  readonly abandonAfterMs: number;
}

/** Of what an operation is the execution. */
export interface OperationSubject {
  readonly instanceName: InstanceName;
  readonly actionDigest: Digest;
}

/**
 * The execution of one action, watched by any number of clients. It begins in
 * stage QUEUED, and ends with a response, once.
 */
export class Operation {
  readonly name: string;
  readonly instanceName: InstanceName;
  readonly actionDigest: Digest;
  /** What the action writes. */
  readonly logs: ActionLogs = new ActionLogs();
  readonly #controller = new AbortController();
  readonly #times: OperationTimes;
  readonly #wakers = new Set<() => void>();
  #stage: ExecutionStage_Value = Stage.QUEUED;
  /** Set when it left the queue: a cached result has no logs to follow. */
  #streamNames:
    | { stdoutStreamName: string; stderrStreamName: string }
    | undefined;
  #response: Any | undefined;
  #watchers = 0;
  #abandonTimer: NodeJS.Timeout | undefined;

  constructor(name: string, subject: OperationSubject, times: OperationTimes) {
    this.name = name;
    this.instanceName = subject.instanceName;
    this.actionDigest = subject.actionDigest;
    this.#times = times;
  }

  /** Aborted when the operation is cancelled or nobody watches any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it still goes on, and will. */
  get isLive(): boolean {
    return this.#response === undefined && !this.signal.aborted;
  }

  /** Bytes that remembering it takes, about. */
  get sizeBytes(): number {
    return 2_000 + (this.#response?.value.byteLength ?? 0);
  }

  /** The action has left the queue: its logs can be read from now on. */
  setExecuting(): void {
    this.#stage = Stage.EXECUTING;
    this.#streamNames = {
      stdoutStreamName: this.#streamName("stdout"),
      stderrStreamName: this.#streamName("stderr"),
    };
    this.#wake();
  }

  /** Ends it. */
  complete(response: ExecuteResponse): void {
    if (this.#response !== undefined) return;
    this.#stage = Stage.COMPLETED;
    this.#response = packResponse(response);
    this.logs.end();
    clearTimeout(this.#abandonTimer);
    this.#wake();
  }

  /** Stops it; it then ends with Cancelled. */
  cancel(): void {
    this.#controller.abort(
      new StatusError(Code.Cancelled, `Operation "${this.name}" was cancelled`),
    );
  }

  /** Its state as it is now. */
  toProto(): OperationMessage {
    const metadata = ExecuteOperationMetadata.fromPartial({
      stage: this.#stage,
      actionDigest: this.actionDigest.toProto(),
      ...this.#streamNames,
    });
    const message: OperationMessage = {
      name: this.name,
      metadata: {
        typeUrl: `${anyPrefix}ExecuteOperationMetadata`,
        value: encodeMessage(ExecuteOperationMetadata, metadata),
      },
      done: this.#response !== undefined,
    };
    if (this.#response !== undefined) message.response = this.#response;
    return message;
  }

  /**
   * Its state now, each change, and the last state once more where nothing
   * changes for long; ends with the state that is done. While it is read, or
   * until its end, the operation is not abandoned.
   */
  async *watch(signal: AbortSignal): AsyncGenerator<OperationMessage> {
    this.#watchers++;
    clearTimeout(this.#abandonTimer);
    try {
      while (!signal.aborted) {
        const sentStage = this.#stage;
        yield this.toProto();
        if (sentStage === Stage.COMPLETED) return;
        if (this.#stage === sentStage) await this.#change(signal);
      }
    } finally {
      this.#watchers--;
      if (this.#watchers === 0 && this.isLive) {
        const { abandonAfterMs } = this.#times;
        this.#abandonTimer = setTimeout(() => this.cancel(), abandonAfterMs);
      }
    }
  }

  #streamName(stream: "stdout" | "stderr"): string {
    const { instanceName, name: operation } = this;
    return formatLogStreamName({ instanceName, operation, stream });
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, this.#times.keepaliveMs);
      this.#wakers.add(done);
      signal.addEventListener("abort", done);
    });
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }
}

function packResponse(response: ExecuteResponse): Any {
  return {
    typeUrl: `${anyPrefix}ExecuteResponse`,
    value: encodeMessage(ExecuteResponse, response),
  };
}
