import { randomUUID } from "node:crypto";
import { Code, StatusError } from "../../../lib/status/index.js";
import { Changes } from "../execution/changes.js";
import { checkGraph } from "../model/check-graph.js";
import { hasJobEnded, type Job } from "../model/job.js";
import type { JobEvent } from "../model/job-event.js";
import { hasEnded, type StepResult } from "../model/step.js";
import { transition } from "../model/transition.js";
import type { IdempotencyKey, JobQuery } from "../store/job-store.js";
import type {
  JobKey,
  JobSnapshot,
  LiveStep,
  LogPosition,
  NewJob,
  OutputContent,
  Workflow,
} from "../workflow.js";

/** A job whose steps a test runs by hand. */
interface ScriptedJob {
  job: Job;
  readonly live: Map<string, LiveStep>;
  /** Chunks that a step wrote in its present attempt, by "step/stream". */
  readonly logs: Map<string, Buffer[]>;
  readonly changes: Changes;
}

const limits = { maximumAttempts: 3, maximumRuns: 3 };

/** What a step left, where a test says nothing. */
const result: StepResult = {
  exitCode: 0,
  outputs: [],
  cached: false,
  worker: "scripted",
  times: {},
};

/**
 * A Workflow without an engine: tests say what steps do, byte by byte, and
 * which calls fail. States change as they do in the real one.
 */
export class ScriptedWorkflow implements Workflow {
  readonly #jobs = new Map<string, ScriptedJob>();
  readonly #keys = new Map<string, { id: string; fingerprint: string }>();
  /** Calls of readLog() that have not ended. */
  readers = 0;
  /** Calls of watch() that have not ended. */
  watchers = 0;
  /** Thrown by every call, while it is set. */
  failure: Error | undefined;
  /** What readOutput() finds, by "name/path". */
  readonly outputs = new Map<string, OutputContent>();
  #now = 1_700_000_000_000;

  async submit(
    { tenant, name, labels, steps }: NewJob,
    idempotency?: IdempotencyKey,
  ) {
    this.#mayFail();
    checkGraph(steps);
    const known = this.#keys.get(`${tenant} ${idempotency?.key}`);
    if (known !== undefined) {
      if (known.fingerprint !== idempotency?.fingerprint) {
        throw new StatusError(Code.FailedPrecondition, "Key was used");
      }
      return { snapshot: this.#find({ tenant, id: known.id }), isNew: false };
    }
    const id = randomUUID().toUpperCase();
    const job: Job = {
      id,
      tenant,
      ...(name !== undefined && { name }),
      labels: { ...labels },
      createdAt: this.#now,
      startedAt: this.#now,
      state: { kind: "preparing" },
      steps: steps.map((specification) => ({
        specification,
        attempts: 0,
        state: { kind: "waiting" },
      })),
      pastRuns: [],
      isHidden: false,
    };
    this.#jobs.set(id, {
      job,
      live: new Map(),
      logs: new Map(),
      changes: new Changes(),
    });
    if (idempotency !== undefined) {
      const { key, fingerprint } = idempotency;
      this.#keys.set(`${tenant} ${key}`, { id, fingerprint });
    }
    return { snapshot: this.#find({ tenant, id }), isNew: true };
  }

  async get(key: JobKey) {
    this.#mayFail();
    return this.#find(key);
  }

  async list({ tenant, states, name, labels, cursor, limit }: JobQuery) {
    this.#mayFail();
    const all = [...this.#jobs.values()]
      .map(({ job }) => job)
      .filter((job) => job.tenant === tenant && !job.isHidden)
      .filter((job) => states?.includes(job.state.kind) ?? true)
      .filter((job) => name === undefined || job.name === name)
      .filter((job) =>
        Object.entries(labels ?? {}).every(([k, v]) => job.labels[k] === v),
      )
      .reverse();
    const from = Number(cursor ?? 0);
    const jobs = all.slice(from, from + limit);
    const isEnd = from + limit >= all.length;
    return {
      jobs: jobs.map((job) => ({ job, version: 1 })),
      ...(!isEnd && { cursor: String(from + limit) }),
    };
  }

  async cancel(key: JobKey) {
    this.#find(key);
    this.apply(key.id, { kind: "cancelRequested" });
    return this.#find(key);
  }

  async retry(key: JobKey) {
    this.#find(key);
    this.apply(key.id, { kind: "retryRequested" });
    return this.#find(key);
  }

  async delete(key: JobKey) {
    if (!hasJobEnded(this.#find(key).job)) {
      throw new StatusError(Code.FailedPrecondition, "It runs");
    }
    this.#jobs.delete(key.id);
  }

  async forget(key: JobKey) {
    const isOver = hasJobEnded(this.#find(key).job);
    if (isOver) this.#jobs.delete(key.id);
    else this.apply(key.id, { kind: "hidden" });
  }

  async *watch(key: JobKey, signal: AbortSignal) {
    this.watchers++;
    try {
      while (!signal.aborted) {
        this.#mayFail();
        const next = this.#scripted(key).changes.next(signal);
        const snapshot = this.#find(key);
        yield snapshot;
        if (hasJobEnded(snapshot.job)) return;
        await next;
      }
    } finally {
      this.watchers--;
    }
  }

  async *readLog(
    key: JobKey,
    { step, stream, offset }: LogPosition,
    { follow, signal }: { follow: boolean; signal: AbortSignal },
  ) {
    this.readers++;
    try {
      let given = offset;
      while (!signal.aborted) {
        const { changes, logs } = this.#scripted(key);
        const next = changes.next(signal);
        // Read again each time: a test may replace what there is.
        let start = 0;
        for (const chunk of logs.get(`${step}/${stream}`) ?? []) {
          this.#mayFail();
          const end = start + chunk.length;
          if (end > given) {
            yield chunk.subarray(given - start);
            given = end;
          }
          start = end;
        }
        if (!follow || this.#hasStepEnded(key, step)) return;
        await next;
      }
    } finally {
      this.readers--;
    }
  }

  async logSize(key: JobKey, { step, stream }: Omit<LogPosition, "offset">) {
    this.#mayFail();
    const { logs } = this.#scripted(key);
    if (!this.#hasStepEnded(key, step)) return undefined;
    return Buffer.concat(logs.get(`${step}/${stream}`) ?? []).length;
  }

  async logLines(
    key: JobKey,
    { index, limit }: { index: number; limit: number },
  ) {
    this.#mayFail();
    const { logs } = this.#scripted(key);
    const text = [...logs.values()].flat().map(String).join("");
    return text
      .split("\n")
      .slice(0, -1)
      .slice(index, index + limit);
  }

  async readOutput(
    key: JobKey,
    { name, path }: { step: string; name: string; path: string },
  ) {
    this.#find(key);
    const found = this.outputs.get(path === "" ? name : `${name}/${path}`);
    if (found !== undefined) return found;
    throw new StatusError(Code.NotFound, "There is no such output");
  }

  /** Lets something happen to a job. */
  apply(id: string, event: JobEvent): void {
    const scripted = this.#byId(id);
    this.#now += 10;
    scripted.job = transition(scripted.job, { event, at: this.#now, limits });
    scripted.changes.announce();
  }

  /** The images are known. */
  prepare(id: string): void {
    this.apply(id, { kind: "prepared", images: new Map() });
  }

  /** An attempt begins, and executes; `streams`: with a live log. */
  start(id: string, step: string, { streams = true } = {}): void {
    const { live, logs } = this.#byId(id);
    logs.delete(`${step}/stdout`);
    logs.delete(`${step}/stderr`);
    live.set(step, {
      isExecuting: true,
      ...(streams && { streams: { stdout: "out", stderr: "err" } }),
    });
    this.apply(id, { kind: "attemptStarted", step });
  }

  /** A running step writes to "step/stdout" or "step/stderr". */
  write(id: string, log: string, data: string | Uint8Array): void {
    const { logs, changes } = this.#byId(id);
    logs.set(log, [...(logs.get(log) ?? []), Buffer.from(data)]);
    changes.announce();
  }

  /** The step's program ends. */
  end(id: string, step: string, outcome: Partial<StepResult> = {}): void {
    const { live, logs } = this.#byId(id);
    const digestOf = (stream: string) => {
      const { length } = Buffer.concat(logs.get(`${step}/${stream}`) ?? []);
      return length === 0 ? {} : { [stream]: `${"0".repeat(64)}/${length}` };
    };
    live.delete(step);
    this.apply(id, {
      kind: "attemptEnded",
      step,
      outcome: {
        kind: "ended",
        result: {
          ...result,
          ...digestOf("stdout"),
          ...digestOf("stderr"),
          ...outcome,
        },
      },
    });
  }

  #mayFail(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  #hasStepEnded(key: JobKey, name: string): boolean {
    const step = this.#scripted(key).job.steps.find(
      ({ specification }) => specification.name === name,
    );
    if (step !== undefined) return hasEnded(step);
    throw new StatusError(Code.NotFound, `There is no step "${name}"`);
  }

  #byId(id: string): ScriptedJob {
    const found = this.#jobs.get(id);
    if (found !== undefined) return found;
    throw new StatusError(Code.NotFound, `There is no job "${id}"`);
  }

  #scripted({ tenant, id }: JobKey): ScriptedJob {
    const found = this.#byId(id);
    if (found.job.tenant === tenant && !found.job.isHidden) return found;
    throw new StatusError(Code.NotFound, `There is no job "${id}"`);
  }

  #find(key: JobKey): JobSnapshot {
    const { job, live } = this.#scripted(key);
    return { job, live: new Map(live) };
  }
}
