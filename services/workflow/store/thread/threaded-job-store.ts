import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { Job } from "../../model/job.js";
import type {
  Creation,
  IdempotencyKey,
  JobPage,
  JobQuery,
  JobStore,
  KeyUse,
  LogSegment,
  StoredJob,
} from "../job-store.js";
import type { SqliteJobStoreOptions } from "../sqlite/sqlite-job-store.js";
import type {
  StoreAnswer,
  StoreFailure,
  StoreMethod,
  StoreRequest,
} from "./store-thread-protocol.js";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Without the id, which is given when it is sent. */
type NewRequest = StoreRequest extends infer Request
  ? Request extends { id: number }
    ? Omit<Request, "id">
    : never
  : never;

/**
 * A SqliteJobStore in a thread of its own: SQLite waits for the disk where it
 * is called, and everything else of the service would wait with it.
 */
export class ThreadedJobStore implements JobStore {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #sink: (error: unknown) => void;
  #lastId = 0;
  #setAsideCount = 0;
  /** Why nothing is answered any more. */
  #end: StatusError | undefined;

  private constructor(worker: Worker, sink: (error: unknown) => void) {
    this.#worker = worker;
    this.#sink = sink;
    worker.on("message", (answer: StoreAnswer) => this.#take(answer));
    worker.on("error", (error) => {
      sink(error);
      this.#fail("The thread of the job store has failed");
    });
    worker.on("exit", () => this.#fail("The job store is closed"));
  }

  /** Throws what opening the file does: see SqliteJobStore. */
  static async open(options: SqliteJobStoreOptions): Promise<ThreadedJobStore> {
    const { path, sink } = options;
    const entry = new URL("./store-thread-main.js", import.meta.url);
    const worker = new Worker(entry, { workerData: { path } });
    const [first]: StoreAnswer[] = await once(worker, "message");
    if (first?.kind === "failed") {
      await worker.terminate();
      throw errorOf(first.error);
    }
    const store = new ThreadedJobStore(worker, sink);
    if (first?.kind === "opened") store.#setAsideCount = first.setAsideCount;
    return store;
  }

  get setAsideCount(): number {
    return this.#setAsideCount;
  }

  create(job: Job, idempotency?: IdempotencyKey): Promise<Creation> {
    return this.#call("create", [job, idempotency]);
  }

  findKey(tenant: string, key: string): Promise<KeyUse | undefined> {
    return this.#call("findKey", [tenant, key]);
  }

  get(id: string): Promise<StoredJob | undefined> {
    return this.#call("get", [id]);
  }

  update(job: Job, version: number): Promise<number> {
    return this.#call("update", [job, version]);
  }

  delete(id: string): Promise<boolean> {
    return this.#call("delete", [id]);
  }

  list(query: JobQuery): Promise<JobPage> {
    return this.#call("list", [query]);
  }

  countUnfinished(tenant: string): Promise<number> {
    return this.#call("countUnfinished", [tenant]);
  }

  async *unfinished(): AsyncGenerator<StoredJob> {
    const walk = ++this.#lastId;
    for (;;) {
      const jobs = await this.#ask<readonly StoredJob[]>({
        kind: "walk",
        walk,
      });
      if (jobs.length === 0) return;
      yield* jobs;
    }
  }

  removeEnded(endedBefore: number, limit: number): Promise<number> {
    return this.#call("removeEnded", [endedBefore, limit]);
  }

  logOrder(id: string): Promise<readonly LogSegment[]> {
    return this.#call("logOrder", [id]);
  }

  appendLogOrder(
    id: string,
    from: number,
    segments: readonly LogSegment[],
  ): Promise<void> {
    return this.#call("appendLogOrder", [id, from, segments]);
  }

  pin(reference: string): Promise<string | undefined> {
    return this.#call("pin", [reference]);
  }

  setPin(reference: string, digest: string): Promise<void> {
    return this.#call("setPin", [reference, digest]);
  }

  check(): Promise<void> {
    return this.#call("check", []);
  }

  async close(): Promise<void> {
    if (this.#end !== undefined) return;
    await this.#call("close", []);
    await this.#worker.terminate();
  }

  /** The answers' types are those of the store that is called there. */
  #call<Method extends StoreMethod>(
    method: Method,
    args: Parameters<JobStore[Method]>,
  ): Promise<Awaited<ReturnType<JobStore[Method]>>> {
    return this.#ask({ kind: "call", method, args });
  }

  #ask<Value>(request: NewRequest): Promise<Value> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastId;
    return new Promise<Value>((resolve, reject) => {
      // What comes back is what the method gives: see #call.
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  #take(answer: StoreAnswer): void {
    switch (answer.kind) {
      case "result":
        this.#setAsideCount = answer.setAsideCount;
        this.#settle(answer.id)?.resolve(answer.value);
        return;
      case "error":
        this.#settle(answer.id)?.reject(errorOf(answer.error));
        return;
      case "told":
        this.#sink(errorOf(answer.error));
        return;
      case "opened":
      case "failed":
        return; // before us
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #fail(text: string): void {
    this.#end ??= new StatusError(Code.Unavailable, text);
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}

function errorOf({ code, message }: StoreFailure): StatusError {
  return new StatusError(code, message);
}
