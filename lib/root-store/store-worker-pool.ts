import { type Transferable, Worker } from "node:worker_threads";
import { Code, codeFromNumber, StatusError, wrap } from "../status/index.js";
import type { StoreJob, StoreJobResults, StoreSettings } from "./store-job.js";

/** What a worker posts when it is done with a job. */
export type StoreWorkerAnswer =
  | { readonly result: StoreJobResults[keyof StoreJobResults] }
  | {
      readonly error: {
        readonly code: number;
        readonly message: string;
        /** Of an error of Node, since causes do not cross threads. */
        readonly errno: string | undefined;
      };
    };

/** At some hundred bytes each, no more than a new thread takes anyway. */
const largestKeptEntries = 30_000;

/** A worker that was taken from the pool; for one job after the other. */
export interface StoreWorker {
  /** Runs a job. Throws StatusErrors; Internal if the thread died. */
  run<Kind extends StoreJob["kind"]>(
    job: Extract<StoreJob, { kind: Kind }>,
    transfer?: readonly Transferable[],
  ): Promise<StoreJobResults[Kind]>;
  /**
   * Gives the worker back; no job may be running. After a job of so many
   * entries: a thread whose heap has grown much is not kept.
   */
  release(entries: number): void;
}

/**
 * Worker threads of a store, a fixed number of them. Threads are started when
 * first needed and kept; one that died is replaced.
 */
export class StoreWorkerPool {
  readonly #settings: StoreSettings;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #waiting: ((thread: Thread) => void)[] = [];
  #startable: number;
  #stopped = false;

  constructor(settings: StoreSettings, size: number) {
    this.#settings = settings;
    this.#startable = size;
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
  async take(signal: AbortSignal, urgent = false): Promise<StoreWorker> {
    signal.throwIfAborted();
    const thread = this.#free() ?? (await this.#wait(signal, urgent));
    return {
      run: (job, transfer) => thread.run(job, transfer),
      release: (entries) => this.#giveBack(thread, entries),
    };
  }

  /** Takes a worker for one job. */
  async run<Kind extends StoreJob["kind"]>(
    job: Extract<StoreJob, { kind: Kind }>,
  ): Promise<StoreJobResults[Kind]> {
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
    const thread = new Thread(this.#settings);
    this.#threads.add(thread);
    return thread;
  }

  #free(): Thread | undefined {
    const thread = this.#idle.pop();
    if (thread !== undefined || this.#startable === 0) return thread;
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
  #settle: ((answer: StoreWorkerAnswer | Death) => void) | undefined;
  #alive = true;

  constructor(settings: StoreSettings) {
    this.#worker = new Worker(new URL("./store-worker.js", import.meta.url), {
      workerData: settings,
      env: {}, // reads nothing from it
      // Collections of young objects free the network's and the archive's
      // buffers too, which outweigh all objects: so let them come often.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    // An idle thread does not keep the program from ending.
    this.#worker.unref();
    this.#worker.on("message", (answer: StoreWorkerAnswer) => {
      this.#settle?.(answer);
    });
    const die = (error: StatusError) => {
      this.#alive = false;
      this.#settle?.({ died: error });
    };
    this.#worker.on("error", (error) => {
      die(wrap(error, "Worker of the store failed", Code.Internal));
    });
    this.#worker.on("exit", () => {
      die(new StatusError(Code.Unavailable, "Worker of the store was ended"));
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  async run<Kind extends StoreJob["kind"]>(
    job: Extract<StoreJob, { kind: Kind }>,
    transfer: readonly Transferable[] = [],
  ): Promise<StoreJobResults[Kind]> {
    this.#worker.ref();
    try {
      const answer = await new Promise<StoreWorkerAnswer | Death>((resolve) => {
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
      return answer.result as StoreJobResults[Kind]; // the answer to this job
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
