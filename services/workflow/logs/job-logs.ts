import { setTimeout as sleep } from "node:timers/promises";
import { Code, toStatusError } from "../../../lib/status/index.js";
import type { RemoteEngine } from "../execution/remote-engine.js";
import type { JobStore } from "../store/job-store.js";
import type {
  JobKey,
  JobSnapshot,
  LogPosition,
  Workflow,
} from "../workflow.js";
import { LogOrder } from "./log-order.js";
import { logSourceOf } from "./log-source.js";
import { readBlob, readByteStream } from "./read-byte-stream.js";

/** When a live log counts as having given what it has, in milliseconds. */
const idleMs = 200;

/** Before a live log that was cut off is asked for again, in milliseconds. */
const reopenDelayMs = 500;

/** What the logs of jobs are read with. */
export type JobView = Pick<Workflow, "get" | "watch">;

/**
 * The logs of steps, which are the engine's or CAS's, and are never held
 * here: they are read when somebody wants to see them.
 */
export class JobLogs {
  readonly #engine: RemoteEngine;
  readonly #order: LogOrder;

  constructor(engine: RemoteEngine, store: JobStore) {
    this.#engine = engine;
    this.#order = new LogOrder(store, (snapshot, position, signal) =>
      this.#now(snapshot, position, signal),
    );
  }

  /** See Workflow.readLog. */
  async *read(
    jobs: JobView,
    { key, position }: { key: JobKey; position: LogPosition },
    { follow, signal }: { follow: boolean; signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    if (!follow) {
      yield* this.#now(await jobs.get(key), position, signal);
      return;
    }
    let { offset } = position;
    const add = (data: Uint8Array) => {
      offset += data.byteLength;
      return data;
    };
    for await (const snapshot of jobs.watch(key, signal)) {
      let source = logSourceOf(snapshot, position);
      while (source.kind === "live") {
        const { resourceName } = source;
        for await (const data of this.#live(resourceName, offset, signal)) {
          yield add(data);
        }
        signal.throwIfAborted();
        // It was cut off, or has ended: then the step's end will be told.
        await sleep(reopenDelayMs, undefined, { signal }).catch(() => {});
        source = logSourceOf(await jobs.get(key), position);
      }
      if (source.kind === "none") return;
      if (source.kind !== "blob") continue;
      const { digest } = source;
      if (offset > digest.sizeBytes) return; // another attempt wrote less
      for await (const data of readBlob(
        this.#engine,
        { digest, offset },
        signal,
      )) {
        yield add(data);
      }
      return;
    }
  }

  /** See Workflow.logSize. */
  size(
    snapshot: JobSnapshot,
    position: Omit<LogPosition, "offset">,
  ): number | undefined {
    const source = logSourceOf(snapshot, position);
    switch (source.kind) {
      case "none":
        return 0;
      case "blob":
        return source.digest.sizeBytes;
      case "live":
      case "later":
        return undefined;
    }
  }

  /** See Workflow.logLines. */
  lines(
    jobs: JobView,
    { key, range }: { key: JobKey; range: { index: number; limit: number } },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return this.#order.lines(() => jobs.get(key), range, signal);
  }

  /** What is there now. */
  async *#now(
    snapshot: JobSnapshot,
    position: LogPosition & { limit?: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const source = logSourceOf(snapshot, position);
    const { offset, limit } = position;
    if (source.kind === "blob") {
      const { digest } = source;
      const blob = { digest, offset, ...(limit !== undefined && { limit }) };
      yield* readBlob(this.#engine, blob, signal);
    } else if (source.kind === "live") {
      const idle = new AbortController();
      const timer = setTimeout(() => idle.abort(), idleMs);
      const either = AbortSignal.any([signal, idle.signal]);
      let left = limit ?? Number.POSITIVE_INFINITY;
      try {
        const { resourceName } = source;
        for await (const data of this.#live(resourceName, offset, either)) {
          timer.refresh();
          yield data.subarray(0, left);
          left -= data.byteLength;
          if (left <= 0) return;
        }
      } finally {
        clearTimeout(timer);
      }
    }
  }

  /** Ends where the stream ends, is cut off, or is no longer known. */
  async *#live(
    resourceName: string,
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const range = { resourceName, offset };
    try {
      yield* readByteStream(this.#engine.logs, range, signal);
    } catch (thrown) {
      const { code } = toStatusError(thrown);
      const isExpected =
        signal.aborted ||
        code === Code.Unavailable ||
        code === Code.NotFound ||
        code === Code.OutOfRange;
      if (!isExpected) throw thrown;
    }
  }
}
