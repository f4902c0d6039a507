import { hasJobEnded, type Job } from "../model/job.js";
import { hasEnded } from "../model/step.js";
import type { JobStore, LogSegment } from "../store/job-store.js";
import type { JobSnapshot, LogPosition } from "../workflow.js";
import { LineSplitter, maximumLineBytes, textOfLine } from "./line-splitter.js";

/** Of one segment: what is read to find one line in it. */
const segmentBytes = 2 ** 20;

/** Of one answer. */
const answerBytes = 8 * 2 ** 20;

/** Reads what there is of a log now. */
export type ReadNow = (
  snapshot: JobSnapshot,
  position: LogPosition & { limit?: number },
  signal: AbortSignal,
) => AsyncIterable<Uint8Array>;

const streams = ["stdout", "stderr"] as const;

/**
 * The lines of whole jobs, by index (Dray's API, "Get Job Log"). Steps write
 * to two streams, which the engine keeps apart: the order of their lines is
 * settled when they are first asked for, and written down, so that an index
 * means the same line ever after.
 */
export class LogOrder {
  readonly #store: JobStore;
  readonly #read: ReadNow;
  /** Answers under way, by job: they settle one after the other. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(store: JobStore, read: ReadNow) {
    this.#store = store;
    this.#read = read;
  }

  /** See Workflow.logLines. */
  async lines(
    get: () => Promise<JobSnapshot>,
    range: { index: number; limit: number },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { id } = (await get()).job;
    const before = this.#busy.get(id) ?? Promise.resolve();
    const answer = before
      .catch(() => {}) // its own caller has it
      .then(async () => this.#lines(await get(), range, signal));
    this.#busy.set(id, answer);
    try {
      return await answer;
    } finally {
      if (this.#busy.get(id) === answer) this.#busy.delete(id);
    }
  }

  async #lines(
    snapshot: JobSnapshot,
    { index, limit }: { index: number; limit: number },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { job } = snapshot;
    const run = runOf(job);
    const order = await this.#store.logOrder(job.id);
    const segments = order.filter((segment) => segment.run === run);
    const settled = sum(segments.map(({ lines }) => lines));
    if (index + limit > settled) {
      const wanted = index + limit - settled;
      const added = await this.#settle(
        snapshot,
        { segments, skipped: index - settled, wanted },
        signal,
      );
      await this.#store.appendLogOrder(job.id, order.length, added);
      segments.push(...added);
    }
    const found = await this.#collect(
      snapshot,
      { segments, index, limit },
      signal,
    );
    const total = sum(segments.map(({ lines }) => lines));
    const isWhole = index + found.length >= total && found.length < limit;
    const last = lastLineOf(job);
    const isLastWanted = isWhole && index <= total && hasJobEnded(job);
    return last !== undefined && isLastWanted ? [...found, last] : found;
  }

  /**
   * The order of more lines: as many as are wanted, or there are, or more than
   * an answer has room for behind those that it skips.
   */
  async #settle(
    snapshot: JobSnapshot,
    wish: {
      segments: readonly LogSegment[];
      skipped: number;
      wanted: number;
    },
    signal: AbortSignal,
  ): Promise<LogSegment[]> {
    const { segments, skipped, wanted } = wish;
    const added: LogSegment[] = [];
    let [lines, bytes] = [0, 0];
    for (const [at, step] of snapshot.job.steps.entries()) {
      for (const stream of streams) {
        const isOf = (each: LogSegment) =>
          each.step === at && each.stream === stream;
        const from = segments.findLast(isOf)?.to ?? 0;
        const { name } = step.specification;
        const position = { step: name, stream, offset: from };
        const isDone = hasEnded(step);
        for await (const part of this.#segments(
          snapshot,
          { position, isDone },
          signal,
        )) {
          added.push({ step: at, run: runOf(snapshot.job), stream, ...part });
          if (lines >= skipped) bytes += part.to - part.from;
          lines += part.lines;
          if (lines >= wanted || bytes > answerBytes + maximumLineBytes) {
            return added;
          }
        }
      }
      if (!hasEnded(step)) break; // the next one's lines come behind
    }
    return added;
  }

  async *#segments(
    snapshot: JobSnapshot,
    { position, isDone }: { position: LogPosition; isDone: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Pick<LogSegment, "from" | "to" | "lines">> {
    const splitter = new LineSplitter();
    let [from, to, lines] = [position.offset, position.offset, 0];
    const add = (line: Buffer) => {
      to += line.length;
      lines++;
    };
    for await (const data of this.#read(snapshot, position, signal)) {
      for (const line of splitter.push(data)) {
        add(line);
        if (to - from < segmentBytes) continue;
        yield { from, to, lines };
        [from, lines] = [to, 0];
      }
    }
    if (isDone) for (const line of splitter.end()) add(line);
    if (lines > 0) yield { from, to, lines };
  }

  async #collect(
    snapshot: JobSnapshot,
    wanted: { segments: readonly LogSegment[]; index: number; limit: number },
    signal: AbortSignal,
  ): Promise<string[]> {
    const found: string[] = [];
    let [at, bytes] = [0, 0];
    for (const segment of wanted.segments) {
      const skip = Math.max(0, wanted.index - at);
      at += segment.lines;
      if (skip >= segment.lines) continue;
      const limit = wanted.limit - found.length;
      const lines = await this.#linesOf(
        snapshot,
        { segment, skip, limit },
        signal,
      );
      for (const line of lines) {
        if (bytes >= answerBytes) return found;
        found.push(textOfLine(line));
        bytes += line.length;
      }
      if (found.length >= wanted.limit) return found;
    }
    return found;
  }

  /** Some lines of a segment, which may have a million. */
  async #linesOf(
    snapshot: JobSnapshot,
    wanted: { segment: LogSegment; skip: number; limit: number },
    signal: AbortSignal,
  ): Promise<Buffer[]> {
    const { step, stream, from, to } = wanted.segment;
    const name = snapshot.job.steps[step]?.specification.name ?? "";
    const position = { step: name, stream, offset: from, limit: to - from };
    const splitter = new LineSplitter();
    const lines: Buffer[] = [];
    let at = 0;
    const add = (line: Buffer) => {
      if (at++ >= wanted.skip && lines.length < wanted.limit) lines.push(line);
    };
    for await (const data of this.#read(snapshot, position, signal)) {
      for (const line of splitter.push(data)) add(line);
      if (lines.length >= wanted.limit) return lines;
    }
    for (const line of splitter.end()) add(line);
    return lines;
  }
}

function runOf(job: Job): number {
  return job.pastRuns.length + 1;
}

/** Why the job failed, where it was not a program of its own. */
function lastLineOf({ state }: Job): string | undefined {
  if (state.kind !== "failed" || state.reason.code === "EXIT_CODE") {
    return undefined;
  }
  return `berth: ${state.reason.text}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
