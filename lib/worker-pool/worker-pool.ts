import { type Transferable, Worker } from "node:worker_threads";
import { Code, codeFromNumber, StatusError, wrap } from "../status/index.js";
import type { AnyJob, WorkerAnswer } from "./worker-job.js";

/** How the threads of a pool are started. */
export interface WorkerPoolOptions {
  /** The module that calls serveWorkerJobs. */
  readonly entry: URL;
  /** What all jobs share; it is copied to every thread. */
  readonly settings: unknown;
  /** How many threads there are at most. */
  readonly size: number;
  /** What the threads are for, in error texts: "Worker of the store". */
  readonly what: string;
}

/** At some hundred bytes each, no more than a new thread takes anyway. */
const largestKeptEntries = 30_000;

/**
 * A worker that was taken from the pool; for one job after the other. `Job` is
 * a union told apart by `kind`, `Results` has the answer to each.
 */
export interface PooledWorker<
  Job extends AnyJob,
  Results extends Record<Job["kind"], unknown>,
> {
  /** Runs a job. Throws StatusErrors; Internal if the thread died. */
  run<Kind extends Job["kind"]>(
    job: Extract<Job, { kind: Kind }>,
    transfer?: readonly Transferable[],
  ): Promise<Results[Kind]>;
  /**
   * Gives the worker back; no job may be running. After a job of so many
   * entries: a thread whose heap has grown much is not kept.
   */
  release(entries: number): void;
}

/**
 * Worker threads of one kind, a fixed number of them. Threads are started when
 * first needed and kept; one that died is replaced.
 */
export class WorkerPool<
  Job extends AnyJob,
  Results extends Record<Job["kind"], unknown>,
> {
  readonly #options: WorkerPoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #waiting: ((thread: Thread) => void)[] = [];
  #startable: number;
  #stopped = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#startable = options.size;
  }

  /** Starts all threads, so that the first job need not wait for one. */
  warm(): void {
    for (; this.#startable > 0; this.#startable--) {
      this.#idle.push(this.#start());
    }
  }

  /**
   * Waits for a worker, first come first served; `urgent` callers come before
   * others: those who finish what others only begin.
   */
  async take(
    signal: AbortSignal,
    urgent = false,
  ): Promise<PooledWorker<Job, Results>> {
    signal.throwIfAborted();
    const thread = this.#free() ?? (await this.#wait(signal, urgent));
    return {
      run: async <Kind extends Job["kind"]>(
        job: Extract<Job, { kind: Kind }>,
        transfer?: readonly Transferable[],
        // The entry's answer to a job of this kind.
      ) => (await thread.run(job, transfer)) as Results[Kind],
      release: (entries) => this.#giveBack(thread, entries),
    };
  }

  /** Takes a worker for one job. */
  async run<Kind extends Job["kind"]>(
    job: Extract<Job, { kind: Kind }>,
  ): Promise<Results[Kind]> {
    const worker = await this.take(new AbortController().signal);
    try {
      return await worker.run(job);
    } finally {
      worker.release(0);
    }
  }

  /** Ends all threads; jobs under way fail with Unavailable. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#threads].map((thread) => thread.stop()));
  }

  #start(): Thread {
    const thread = new Thread(this.#options);
    this.#threads.add(thread);
    return thread;
  }

  #free(): Thread | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.alive) return idle;
      this.#threads.delete(idle);
      this.#startable++;
    }
    if (this.#startable === 0) return undefined;
    this.#startable--;
    return this.#start();
  }

  #wait(signal: AbortSignal, urgent: boolean): Promise<Thread> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(accept), 1);
        reject(signal.reason);
      };
      const accept = (thread: Thread) => {
        signal.removeEventListener("abort", leave);
        resolve(thread);
      };
      signal.addEventListener("abort", leave, { once: true });
      if (urgent) this.#waiting.unshift(accept);
      else this.#waiting.push(accept);
    });
  }

  #giveBack(thread: Thread, entries: number): void {
    if (this.#stopped) return;
    const isUsable = thread.alive && entries <= largestKeptEntries;
    if (!isUsable) {
      this.#threads.delete(thread);
      void thread.stop();
    }
    const next = this.#waiting.shift();
    if (next !== undefined) next(isUsable ? thread : this.#start());
    else if (isUsable) this.#idle.push(thread);
    else this.#startable++;
  }
}

/** What comes instead of an answer when the thread ends in a job's midst. */
interface Death {
  readonly died: StatusError;
}

/** One worker thread and the job that it is at. */
class Thread {
  readonly #worker: Worker;
  #settle: ((answer: WorkerAnswer | Death) => void) | undefined;
  #alive = true;

  constructor({ entry, settings, what }: WorkerPoolOptions) {
    this.#worker = new Worker(entry, {
      workerData: settings,
      env: {}, // reads nothing from it
      // Collections of young objects free the network's and the archive's
      // buffers too, which outweigh all objects: so let them come often.
      // And the smaller this is, the less garbage V8 lets a heap grow by: below
      // 2 GiB to less than twice its live objects, above to four times.
      // It is enough for an image of as many entries as there may be.
      resourceLimits: {
        maxYoungGenerationSizeMb: 2,
        maxOldGenerationSizeMb: 1_500,
      },
    });
    // An idle thread does not keep the program from ending.
    this.#worker.unref();
    this.#worker.on("message", (answer: WorkerAnswer) => {
      this.#settle?.(answer);
    });
    const die = (error: StatusError) => {
      this.#alive = false;
      this.#settle?.({ died: error });
    };
    this.#worker.on("error", (error) => {
      die(wrap(error, `${what} failed`, Code.Internal));
    });
    this.#worker.on("exit", () => {
      die(new StatusError(Code.Unavailable, `${what} was ended`));
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  async run(
    job: AnyJob,
    transfer: readonly Transferable[] = [],
  ): Promise<unknown> {
    this.#worker.ref();
    try {
      const answer = await new Promise<WorkerAnswer | Death>((resolve) => {
        this.#settle = resolve;
        this.#worker.postMessage(job, transfer);
      });
      if ("died" in answer) throw answer.died;
      if ("error" in answer) {
        const { code, message, errno } = answer.error;
        throw new StatusError(codeFromNumber(code), message, {
          cause: { code: errno },
        });
      }
      return answer.result;
    } finally {
      this.#settle = undefined;
      this.#worker.unref();
    }
  }

  async stop(): Promise<void> {
    this.#worker.ref(); // or the program might end first, in the midst of this
    await this.#worker.terminate();
  }
}
