import { parentPort, workerData } from "node:worker_threads";
import { toStatusError } from "../../../../lib/status/index.js";
import type { StoredJob } from "../job-store.js";
import { SqliteJobStore } from "../sqlite/sqlite-job-store.js";
import type {
  StoreAnswer,
  StoreFailure,
  StoreRequest,
} from "./store-thread-protocol.js";

// The thread of a store: the only one that waits for the disk.

/** Jobs that one step of a walk gives. */
const jobsAtOnce = 100;

/** Walks that have begun and not ended. */
const walks = new Map<number, AsyncIterator<StoredJob>>();

function send(answer: StoreAnswer): void {
  parentPort?.postMessage(answer);
}

function failureOf(error: unknown): StoreFailure {
  const { code, message } = toStatusError(error);
  return { code, message };
}

async function perform(
  store: SqliteJobStore,
  request: StoreRequest,
): Promise<unknown> {
  if (request.kind === "walk") return walkOn(store, request.walk);
  const { method, args } = request;
  // The protocol's types say which method takes what.
  const call = store[method] as (...args: readonly unknown[]) => unknown;
  return call.apply(store, [...args]);
}

async function walkOn(
  store: SqliteJobStore,
  walk: number,
): Promise<readonly StoredJob[]> {
  const iterator =
    walks.get(walk) ?? store.unfinished()[Symbol.asyncIterator]();
  walks.set(walk, iterator);
  const jobs: StoredJob[] = [];
  while (jobs.length < jobsAtOnce) {
    const next = await iterator.next();
    if (next.done === true) break;
    jobs.push(next.value);
  }
  if (jobs.length === 0) walks.delete(walk);
  return jobs;
}

async function answer(
  store: SqliteJobStore,
  request: StoreRequest,
): Promise<void> {
  const { id } = request;
  try {
    const value = await perform(store, request);
    const { setAsideCount } = store;
    send({ kind: "result", id, value, setAsideCount });
  } catch (error) {
    send({ kind: "error", id, error: failureOf(error) });
  }
}

try {
  const store = new SqliteJobStore({
    path: workerData.path,
    sink: (error) => send({ kind: "told", error: failureOf(error) }),
  });
  parentPort?.on("message", (request: StoreRequest) => {
    void answer(store, request);
  });
  send({ kind: "opened", setAsideCount: store.setAsideCount });
} catch (error) {
  send({ kind: "failed", error: failureOf(error) });
}
