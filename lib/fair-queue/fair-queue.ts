import { Code, StatusError } from "../status/index.js";

/** Work that waits for its turn. */
interface Waiting {
  start(slot: number): void;
}

/**
 * Slots for work, given out fairly: what waits under different keys takes
 * turns, whatever their numbers are; those of one key go
 * in the order in which they came.
 */
export class FairQueue {
  readonly #idleSlots: number[];
  /** By key; the first key's turn is next. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  readonly #maximumLength: number;
  #length = 0;

  /** `maximumLength` bounds what waits; by default nothing does. */
  constructor(slots: number, maximumLength = Number.POSITIVE_INFINITY) {
    this.#maximumLength = maximumLength;
    this.#idleSlots = Array.from({ length: slots }, (_, index) => index);
  }

  /** Whether what comes now would have to wait. */
  get isFull(): boolean {
    return this.#idleSlots.length === 0;
  }

  /** How much waits. */
  get length(): number {
    return this.#length;
  }

  /**
   * Runs something in a slot, when one is idle and it is this key's turn.
   * Rejects with the signal's reason if it is aborted before, and with
   * ResourceExhausted if too much waits already.
   */
  async run<T>(
    key: string,
    work: (slot: number) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const slot = await this.#acquire(key, signal);
    try {
      return await work(slot);
    } finally {
      this.#idleSlots.push(slot);
      this.#startNext();
    }
  }

  #acquire(key: string, signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const isFull = this.#idleSlots.length === 0;
      if (isFull && this.#length >= this.#maximumLength) {
        return reject(tooMuchWaits(this.#maximumLength));
      }
      const abort = () => {
        this.#remove(key, waiting);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        start: (slot) => {
          signal.removeEventListener("abort", abort);
          resolve(slot);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      const ofKey = this.#waiting.get(key);
      if (ofKey === undefined) this.#waiting.set(key, new Set([waiting]));
      else ofKey.add(waiting);
      this.#length++;
      this.#startNext();
    });
  }

  #remove(key: string, waiting: Waiting): void {
    const ofKey = this.#waiting.get(key);
    ofKey?.delete(waiting);
    if (ofKey?.size === 0) this.#waiting.delete(key);
    this.#length--;
  }

  #startNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    const slot = this.#idleSlots.pop();
    if (slot === undefined) return;
    const [key, ofKey] = next;
    const [waiting] = ofKey;
    if (waiting !== undefined) ofKey.delete(waiting);
    this.#waiting.delete(key); // and to the end, if there is more
    if (ofKey.size > 0) this.#waiting.set(key, ofKey);
    this.#length--;
    waiting?.start(slot);
  }
}

function tooMuchWaits(maximumLength: number): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `Queue must hold at most ${maximumLength} that wait: try again when some have ended`,
  );
}
