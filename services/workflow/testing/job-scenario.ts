import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseInstanceName } from "../../../lib/digest/index.js";
import { FairQueue } from "../../../lib/fair-queue/index.js";
import { createSourceImageResolver } from "../../../lib/registry/index.js";
import {
  createMemoryImageSource,
  type MemoryImageSource,
} from "../../../test/fixtures/memory-image-source.js";
import { buildTestImage } from "../../../test/fixtures/test-image.js";
import { createJobWorkflow } from "../create-workflow.js";
import type { JobWorkflow } from "../execution/job-workflow.js";
import { RemoteEngine } from "../execution/remote-engine.js";
import { hasJobEnded, type Job } from "../model/job.js";
import type { AttemptOutcome } from "../model/job-event.js";
import type { StepSpecification } from "../model/step.js";
import { SqliteJobStore } from "../store/sqlite/sqlite-job-store.js";
import type { JobSnapshot } from "../workflow.js";
import { type EngineProcess, startEngineProcess } from "./engine-process.js";

/** A step that runs a shell script; what is not given is a default. */
export function scriptStep(
  name: string,
  script: string,
  options: {
    needs?: readonly string[];
    cache?: boolean;
    retry?: "never";
    timeoutMs?: number;
    image?: string;
    refresh?: boolean;
  } = {},
): StepSpecification {
  return {
    name,
    needs: [...(options.needs ?? [])],
    cache: options.cache ?? false,
    retry: options.retry ?? "infrastructure",
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    work: {
      kind: "container",
      image: options.image ?? "images.example/tools:1",
      refresh: options.refresh ?? false,
      entrypoint: ["/bin/sh", "-c", script],
      environment: [],
      secrets: [],
      inputs: [],
      outputs: [],
    },
  };
}

/**
 * Jobs on a real engine and a real store; only their images are in memory,
 * and the engine runs their programs on this machine.
 */
export class JobScenario {
  readonly folder: string;
  readonly images: MemoryImageSource = createMemoryImageSource();
  /** What the observer was told. */
  readonly outcomes: AttemptOutcome[] = [];
  readonly errors: unknown[] = [];
  engine: EngineProcess;
  workflow: JobWorkflow;
  #remote: RemoteEngine;
  #store: SqliteJobStore;

  readonly #maximumUnfinishedJobs: number;

  private constructor(
    folder: string,
    engine: EngineProcess,
    maximumUnfinishedJobs: number,
  ) {
    this.#maximumUnfinishedJobs = maximumUnfinishedJobs;
    this.folder = folder;
    this.engine = engine;
    this.images.add("images.example/tools", buildTestImage(), "1");
    this.#store = this.#openStore();
    this.#remote = this.#connect();
    this.workflow = this.#createWorkflow();
  }

  static async start({
    maximumUnfinishedJobs = 5_000,
  } = {}): Promise<JobScenario> {
    const folder = await mkdtemp(join(tmpdir(), "berth-jobs-"));
    await chmod(folder, 0o755); // programs run as other users
    const engine = await startEngineProcess(folder);
    return new JobScenario(folder, engine, maximumUnfinishedJobs);
  }

  async stop(): Promise<void> {
    await this.#stopService();
    await this.engine.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** As after a restart of the service; the engine goes on. */
  async restart(): Promise<void> {
    await this.#stopService();
    this.#store = this.#openStore();
    this.#remote = this.#connect();
    this.workflow = this.#createWorkflow();
    await this.workflow.resume();
  }

  /** Kills the engine and starts it again at the same address. */
  async restartEngine(): Promise<void> {
    await this.engine.kill();
    const port = Number(this.engine.address.split(":").at(-1));
    this.engine = await startEngineProcess(this.folder, port);
  }

  /** Submits a job of these steps; gives its key. */
  async submit(...steps: StepSpecification[]) {
    const { snapshot } = await this.workflow.submit({
      tenant: "",
      labels: {},
      steps,
    });
    return { tenant: "", id: snapshot.job.id };
  }

  /** The job in the first state that is wanted; throws after its end. */
  async until(
    key: { tenant: string; id: string },
    isWanted: (snapshot: JobSnapshot) => boolean,
  ): Promise<JobSnapshot> {
    const signal = AbortSignal.timeout(30_000);
    for await (const snapshot of this.workflow.watch(key, signal)) {
      if (isWanted(snapshot)) return snapshot;
    }
    const { job } = await this.workflow.get(key);
    throw new Error(`The job never came there: ${JSON.stringify(job)}`);
  }

  /** The job when it has ended. */
  async end(key: { tenant: string; id: string }): Promise<Job> {
    return (await this.until(key, ({ job }) => hasJobEnded(job))).job;
  }

  /** The whole log of a step's stream as text, followed to its end. */
  async log(
    key: { tenant: string; id: string },
    step: string,
    stream: "stdout" | "stderr" = "stdout",
  ): Promise<string> {
    const chunks: Uint8Array[] = [];
    const position = { step, stream, offset: 0 };
    const signal = AbortSignal.timeout(30_000);
    for await (const data of this.workflow.readLog(key, position, {
      follow: true,
      signal,
    })) {
      chunks.push(data);
    }
    return Buffer.concat(chunks).toString();
  }

  async #stopService(): Promise<void> {
    await this.workflow.stop();
    this.#remote[Symbol.dispose]();
    await this.#store.close();
  }

  #openStore(): SqliteJobStore {
    const path = join(this.folder, "jobs.sqlite");
    return new SqliteJobStore({ path, sink: (e) => this.errors.push(e) });
  }

  #connect(): RemoteEngine {
    return new RemoteEngine({
      address: this.engine.address,
      instanceName: parseInstanceName(""),
    });
  }

  #createWorkflow(): JobWorkflow {
    return createJobWorkflow({
      store: this.#store,
      engine: this.#remote,
      resolver: createSourceImageResolver(this.images),
      platform: { os: "linux", architecture: "amd64", variant: undefined },
      settings: {
        network: "host",
        user: "root",
        timeoutMs: 60_000,
        platform: [],
      },
      limits: {
        maximumAttempts: 4,
        maximumRuns: 3,
        maximumUnfinishedJobs: this.#maximumUnfinishedJobs,
      },
      queue: new FairQueue(500),
      prepareTimeoutMs: 2_000,
      retryDelayMs: 50,
      observer: {
        attemptSent: () => {},
        attemptEnded: ({ outcome }) => this.outcomes.push(outcome),
        jobEnded: () => {},
      },
      sink: (error) => this.errors.push(error),
    });
  }
}
