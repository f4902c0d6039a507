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
  readonly #waiting = new Map<string, Waiting[]>();
  #length = 0;

  constructor(slots: number) {
    this.#idleSlots = Array.from({ length: slots }, (_, index) => index);
  }

  /** How much waits. */
  get length(): number {
    return this.#length;
  }

  /**
   * Runs something in a slot, when one is idle and it is this key's turn.
   * Rejects with the signal's reason if it is aborted before.
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
      if (ofKey === undefined) this.#waiting.set(key, [waiting]);
      else ofKey.push(waiting);
      this.#length++;
      this.#startNext();
    });
  }

  #remove(key: string, waiting: Waiting): void {
    const left = (this.#waiting.get(key) ?? []).filter((w) => w !== waiting);
    if (left.length === 0) this.#waiting.delete(key);
    else this.#waiting.set(key, left);
    this.#length--;
  }

  #startNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    const slot = this.#idleSlots.pop();
    if (slot === undefined) return;
    const [key, ofKey] = next;
    const waiting = ofKey.shift();
    this.#waiting.delete(key); // and to the end, if there is more
    if (ofKey.length > 0) this.#waiting.set(key, ofKey);
    this.#length--;
    waiting?.start(slot);
  }
}
