import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { JobLogs } from "../logs/job-logs.js";
import { readOutput } from "../logs/read-output.js";
import { checkGraph } from "../model/check-graph.js";
import { hasJobEnded, type Job } from "../model/job.js";
import type { JobEvent } from "../model/job-event.js";
import type { TransitionLimits } from "../model/transition.js";
import type {
  Creation,
  IdempotencyKey,
  JobPage,
  JobQuery,
  JobStore,
  StoredJob,
} from "../store/job-store.js";
import type { JobKey, JobSnapshot, NewJob, Workflow } from "../workflow.js";
import { parseJobImage } from "./job-images.js";
import { JobRecord } from "./job-record.js";
import { JobRun } from "./job-run.js";
import type { JobRunParts } from "./job-run-parts.js";

/** Before a job is driven again whose driving failed, in milliseconds. */
const driveAgainDelayMs = 1_000;

/** What an operator says of jobs. */
export interface WorkflowLimits extends TransitionLimits {
  /** Jobs of a tenant that have not ended. */
  readonly maximumUnfinishedJobs: number;
}

/** What jobs need. */
export interface JobWorkflowOptions {
  readonly store: JobStore;
  readonly limits: WorkflowLimits;
  readonly parts: Omit<JobRunParts, "stop">;
  readonly logs: JobLogs;
}

/** Jobs on an engine, with their records in a store. */
export class JobWorkflow implements Workflow {
  readonly #options: JobWorkflowOptions;
  readonly #stop = new AbortController();
  /** Jobs that have not ended, by id. */
  readonly #runs = new Map<string, JobRun>();

  constructor(options: JobWorkflowOptions) {
    this.#options = options;
  }

  /** Jobs that are being driven. */
  get unfinished(): number {
    return this.#runs.size;
  }

  /** Goes on with all jobs that had not ended when the last process did. */
  async resume(): Promise<number> {
    let resumed = 0;
    for await (const stored of this.#options.store.unfinished()) {
      this.#drive(stored);
      resumed++;
    }
    return resumed;
  }

  /** Stops driving; what the engine runs goes on without us. */
  async stop(): Promise<void> {
    const ended = [...this.#runs.values()].map((run) => run.ended);
    this.#stop.abort(
      new StatusError(Code.Unavailable, "The service is being stopped"),
    );
    await Promise.all(ended);
  }

  async submit(
    newJob: NewJob,
    idempotency?: IdempotencyKey,
  ): Promise<{ snapshot: JobSnapshot; isNew: boolean }> {
    this.#stop.signal.throwIfAborted();
    checkGraph(newJob.steps);
    for (const { work } of newJob.steps) parseJobImage(work.image);
    const job = jobOf(newJob);
    const creation = await this.#create(job, idempotency);
    if (creation.kind === "created") {
      const run = this.#drive({ job, version: 1 });
      return { snapshot: run.snapshot, isNew: true };
    }
    if (creation.fingerprint !== idempotency?.fingerprint) {
      throw new StatusError(
        Code.FailedPrecondition,
        `Idempotency key "${idempotency?.key}" was used for another job, "${creation.jobId}"`,
      );
    }
    const key = { tenant: newJob.tenant, id: creation.jobId };
    return { snapshot: await this.get(key), isNew: false };
  }

  async get(key: JobKey): Promise<JobSnapshot> {
    const run = this.#runs.get(key.id);
    const snapshot = run?.snapshot ?? snapshotOf((await this.#load(key)).job);
    checkVisible(snapshot.job, key);
    return snapshot;
  }

  list(query: JobQuery): Promise<JobPage> {
    return this.#options.store.list(query);
  }

  async cancel(key: JobKey): Promise<JobSnapshot> {
    return this.#apply(key, { kind: "cancelRequested" });
  }

  async retry(key: JobKey): Promise<JobSnapshot> {
    return this.#apply(key, { kind: "retryRequested" });
  }

  async delete(key: JobKey): Promise<void> {
    const { job } = await this.get(key);
    if (this.#runs.has(key.id) || !hasJobEnded(job)) {
      throw new StatusError(
        Code.FailedPrecondition,
        `Job "${key.id}" cannot be deleted: it is ${job.state.kind}, cancel it first`,
      );
    }
    await this.#options.store.delete(key.id);
  }

  async forget(key: JobKey): Promise<void> {
    const { job } = await this.get(key);
    const run = this.#runs.get(key.id);
    if (run === undefined || hasJobEnded(job)) {
      await this.#options.store.delete(key.id);
    } else {
      await run.apply({ kind: "hidden" });
    }
  }

  async *watch(key: JobKey, signal: AbortSignal): AsyncGenerator<JobSnapshot> {
    const snapshot = await this.get(key);
    const run = this.#runs.get(key.id);
    if (run !== undefined) yield* run.watch(signal);
    // It may have ended in between.
    else yield hasJobEnded(snapshot.job) ? snapshot : await this.get(key);
  }

  readLog(...[key, position, options]: Parameters<Workflow["readLog"]>) {
    const { logs } = this.#options;
    return logs.read(this, { key, position }, options);
  }

  async logSize(...[key, position]: Parameters<Workflow["logSize"]>) {
    const { logs } = this.#options;
    return logs.size(await this.get(key), position);
  }

  async logLines(...[key, range, signal]: Parameters<Workflow["logLines"]>) {
    const { logs } = this.#options;
    await this.get(key); // is it there, and the tenant's?
    return logs.lines(this, { key, range }, signal);
  }

  async readOutput(
    ...[key, output, signal]: Parameters<Workflow["readOutput"]>
  ) {
    const { engine } = this.#options.parts;
    return readOutput(
      engine,
      { snapshot: await this.get(key), output },
      signal,
    );
  }

  /** What is asked of one that has ended begins to be driven again. */
  async #apply(key: JobKey, event: JobEvent): Promise<JobSnapshot> {
    this.#stop.signal.throwIfAborted();
    const stored = await this.#find(key);
    if (stored instanceof JobRun) return stored.apply(event);
    const record = this.#recordOf(stored);
    const job = await record.apply(event);
    // Another caller may have been faster: the store took only one of us.
    if (!hasJobEnded(job)) this.#driveRecord(record);
    return snapshotOf(job);
  }

  async #find(key: JobKey): Promise<JobRun | StoredJob> {
    const run = this.#runs.get(key.id);
    if (run !== undefined && !hasJobEnded(run.snapshot.job)) {
      checkVisible(run.snapshot.job, key);
      return run;
    }
    await run?.ended;
    return this.#load(key);
  }

  async #load(key: JobKey): Promise<StoredJob> {
    const stored = await this.#options.store.get(key.id);
    if (stored === undefined) throw notFound(key);
    checkVisible(stored.job, key);
    return stored;
  }

  /** At the limit, what was submitted before is found all the same. */
  async #create(job: Job, idempotency?: IdempotencyKey): Promise<Creation> {
    const { store, limits } = this.#options;
    const unfinished = await store.countUnfinished(job.tenant);
    if (unfinished < limits.maximumUnfinishedJobs) {
      return store.create(job, idempotency);
    }
    const use =
      idempotency && (await store.findKey(job.tenant, idempotency.key));
    if (use !== undefined) return { kind: "existing", ...use };
    throw new StatusError(
      Code.ResourceExhausted,
      `There are ${unfinished} jobs that have not ended, and no more than ${limits.maximumUnfinishedJobs} are taken: try again later`,
    );
  }

  #recordOf(stored: StoredJob): JobRecord {
    const { store, limits } = this.#options;
    return new JobRecord(store, limits, stored);
  }

  /**
   * A run has ended before its job: we stop, or something of ours failed, such
   * as a store that another process wrote to. Then what counts is its record.
   */
  async #driveAgain(id: string): Promise<void> {
    const { signal } = this.#stop;
    await sleep(driveAgainDelayMs, undefined, { signal }).catch(() => {});
    if (signal.aborted || this.#runs.has(id)) return;
    const stored = await this.#options.store.get(id);
    if (stored !== undefined && !hasJobEnded(stored.job)) this.#drive(stored);
  }

  #drive(stored: StoredJob): JobRun {
    return this.#driveRecord(this.#recordOf(stored));
  }

  #driveRecord(record: JobRecord): JobRun {
    const { parts, store } = this.#options;
    const { id } = record.job;
    const run = new JobRun(record, { ...parts, stop: this.#stop.signal });
    this.#runs.set(id, run);
    run.ended
      .then(async () => {
        if (this.#runs.get(id) === run) this.#runs.delete(id);
        const { job } = record;
        if (!hasJobEnded(job)) await this.#driveAgain(id);
        else if (job.isHidden) await store.delete(id);
      })
      .catch(parts.sink);
    run.start();
    return run;
  }
}

function jobOf({ tenant, name, labels, steps }: NewJob): Job {
  const now = Date.now();
  return {
    id: randomUUID().toUpperCase(),
    tenant,
    ...(name !== undefined && { name }),
    labels: { ...labels },
    createdAt: now,
    startedAt: now,
    state: { kind: "preparing" },
    steps: steps.map((specification) => ({
      specification,
      attempts: 0,
      state: { kind: "waiting" },
    })),
    pastRuns: [],
    isHidden: false,
  };
}

function snapshotOf(job: Job): JobSnapshot {
  return { job, live: new Map() };
}

function checkVisible(job: Job, key: JobKey): void {
  if (job.tenant !== key.tenant || job.isHidden) throw notFound(key);
}

function notFound({ id }: JobKey): StatusError {
  const shown = JSON.stringify(id.slice(0, 80));
  return new StatusError(Code.NotFound, `There is no job ${shown}`);
}
