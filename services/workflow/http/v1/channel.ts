/**
 * Hands items from several producers to one consumer, in the order of their
 * coming. Who pushes into a full channel waits, so that a slow consumer slows
 * all of them.
 */
export class Channel<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  readonly #waiting: (() => void)[] = [];
  #wakeConsumer = () => {};
  #isClosed = false;
  #error: unknown;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** False if nobody will take the item any more. */
  async push(item: T): Promise<boolean> {
    while (!this.#isClosed && this.#items.length >= this.#capacity) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#isClosed) return false;
    this.#items.push(item);
    this.#wakeConsumer();
    return true;
  }

  /** Adds the item if nothing else waits to be taken. */
  offer(item: T): void {
    if (this.#isClosed || this.#items.length > 0) return;
    this.#items.push(item);
    this.#wakeConsumer();
  }

  /** Nothing comes any more; what is there is taken, and then it ends. */
  close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    for (const wake of this.#waiting.splice(0)) wake();
    this.#wakeConsumer();
  }

  /** Takes the items; throws what close() was given. */
  async *items(): AsyncGenerator<T> {
    try {
      for (;;) {
        for (const item of this.#taken()) yield item;
        if (this.#isClosed) break;
        await new Promise<void>((resolve) => {
          this.#wakeConsumer = resolve;
        });
      }
      if (this.#error !== undefined) throw this.#error;
    } finally {
      this.close();
    }
  }

  *#taken(): Generator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item === undefined) return;
      this.#waiting.shift()?.();
      yield item;
    }
  }
}
