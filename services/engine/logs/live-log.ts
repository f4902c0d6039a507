import { type Digest, emptyDigest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** Where the bytes of a log are while it grows. */
export interface LogSource {
  /** Bytes that can be read; a program may make them fewer again. */
  readonly size: number;
  /** At most so many bytes from an offset on; none when there are no more. */
  read(offset: number, length: number): Buffer;
}

/** The part of a log that a reader wants. */
export interface LogRange {
  readonly offset: number;
  /** Most bytes; 0: all. */
  readonly limit: number;
}

/** What a reader brings. */
export interface LogReading {
  /** Opens a log that was stored, at an offset. */
  open(digest: Digest, offset: number): AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** Bytes that a reader is given at once: what it holds when it stalls. */
const pieceBytes = 64 * 1024;

/**
 * Between looks at how long the log is, in milliseconds; only while somebody
 * waits, and once for all of them: notifications by the kernel would come for
 * every single write.
 */
const lookIntervalMs = 50;

type State =
  | { readonly type: "waiting" }
  | { readonly type: "live"; readonly source: LogSource }
  | { readonly type: "ended"; readonly digest: Digest | undefined };

/** A reader that has all there is so far. */
interface Waiting {
  readonly at: number;
  wake(): void;
}

/**
 * A log that any number of readers follow while a program writes it, each
 * from where and as fast as it likes: none of them holds more than one piece.
 * It begins and ends once.
 */
export class LiveLog {
  #state: State = { type: "waiting" };
  readonly #readers = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;

  /** Readers that wait for more. */
  get waitingReaders(): number {
    return this.#readers.size;
  }

  /** From now on there are bytes; the source must be readable until end(). */
  begin(source: LogSource): void {
    if (this.#state.type !== "waiting") return;
    this.#state = { type: "live", source };
    if (this.#readers.size > 0) this.#startLooking();
  }

  /**
   * All was written, and stored as this blob; without one it was lost, or,
   * where it never began, is empty. Only the first call counts.
   */
  end(digest?: Digest): void {
    if (this.#state.type === "ended") return;
    const isEmpty = this.#state.type === "waiting";
    const stored = digest ?? (isEmpty ? emptyDigest : undefined);
    this.#state = { type: "ended", digest: stored };
    for (const { wake } of this.#readers) wake();
  }

  /**
   * What was written so far, then what comes, to the log's end or the limit.
   * Ends when the signal is aborted. Throws OutOfRange when the offset lies
   * beyond the end, which is known at the end only, and NotFound when the log
   * was lost.
   */
  async *read(
    { offset, limit }: LogRange,
    { open, signal }: LogReading,
  ): AsyncGenerator<Uint8Array> {
    let at = offset;
    let left = limit === 0 ? Number.POSITIVE_INFINITY : limit;
    while (!signal.aborted) {
      const state = this.#state;
      if (state.type === "ended") {
        const rest = checkEnd(state.digest, { at, hasMoved: at > offset });
        if (rest !== undefined) yield* limited(open(rest, at), left);
        return;
      }
      const length = Math.min(left, pieceBytes);
      const data =
        state.type === "live" ? state.source.read(at, length) : undefined;
      if (data === undefined || data.byteLength === 0) {
        await this.#change(at, signal);
        continue;
      }
      at += data.byteLength;
      left -= data.byteLength;
      yield data;
      if (left === 0) return;
    }
  }

  #change(at: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#readers.delete(reader);
        signal.removeEventListener("abort", wake);
        if (this.#readers.size === 0) this.#stopLooking();
        resolve();
      };
      const reader: Waiting = { at, wake };
      this.#readers.add(reader);
      signal.addEventListener("abort", wake);
      if (this.#state.type === "live") this.#startLooking();
    });
  }

  #startLooking(): void {
    this.#timer ??= setInterval(() => {
      if (this.#state.type !== "live") return;
      const { size } = this.#state.source;
      for (const { at, wake } of this.#readers) if (at < size) wake();
    }, lookIntervalMs);
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The blob to go on with; undefined when there is nothing after `at`. */
function checkEnd(
  digest: Digest | undefined,
  { at, hasMoved }: { at: number; hasMoved: boolean },
): Digest | undefined {
  if (digest === undefined) {
    throw new StatusError(Code.NotFound, "The log was not kept");
  }
  if (at < digest.sizeBytes) return digest;
  // A program may have shortened what we had sent already.
  if (at === digest.sizeBytes || hasMoved) return undefined;
  throw new StatusError(
    Code.OutOfRange,
    `Offset must be from 0 to ${digest.sizeBytes}: current value is ${at}`,
  );
}

async function* limited(
  pieces: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  let left = limit;
  for await (const piece of pieces) {
    const data = piece.subarray(0, Math.min(left, piece.byteLength));
    left -= data.byteLength;
    yield data;
    if (left === 0) return;
  }
}
