import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type StoreLayout, trashPrefix } from "./store-layout.js";
import type { StoreWorkerPool } from "./store-worker-pool.js";

/**
 * Where content files go before they are removed. A pull that is under way may
 * have found a file present just before it was collected, and will link to it:
 * it finds the file in the trash and brings it back. So a folder of the trash
 * is removed only when every pull that was under way when its files were moved
 * there has ended; later pulls do not see the files, and store their own.
 */
export class ContentTrash {
  readonly #layout: StoreLayout;
  readonly #janitor: StoreWorkerPool;
  readonly #pulls = new Set<Promise<void>>();

  constructor(layout: StoreLayout, janitor: StoreWorkerPool) {
    this.#layout = layout;
    this.#janitor = janitor;
  }

  /** Runs a pull, for whose time nothing it may have seen is removed. */
  async guard<T>(pull: () => Promise<T>): Promise<T> {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#pulls.add(ended);
    try {
      return await pull();
    } finally {
      this.#pulls.delete(ended);
      end();
    }
  }

  /** A path for a new folder of the trash. */
  newFolder(): string {
    return join(this.#layout.tmp, `${trashPrefix}${randomUUID()}`);
  }

  /**
   * Removes paths, folders of the trash among them, when all pulls that are
   * under way now have ended. What is not there counts as removed.
   */
  async empty(paths: readonly string[]): Promise<void> {
    await Promise.all(this.#pulls);
    await this.#janitor.run({ kind: "remove", paths });
  }
}
