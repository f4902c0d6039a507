/** Wakes all who wait for something to change. */
export class Changes {
  readonly #wakers = new Set<() => void>();

  /** Something has changed. */
  announce(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Resolves at the next change, or when the signal is aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        this.#wakers.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#wakers.add(done);
      signal.addEventListener("abort", done);
    });
  }
}
