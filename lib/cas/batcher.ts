import { toStatusError } from "../status/index.js";

/** What became of one item of a batch. */
export type BatchOutcome<Result> =
  | { readonly value: Result }
  | { readonly error: unknown };

/** Gathers the items of different callers into common calls. */
export interface Batcher<Item, Result> {
  /** Settles with the item's own outcome; the signal gives up this item. */
  add(item: Item, signal?: AbortSignal): Promise<Result>;
}

/** How items are gathered. */
export interface BatcherOptions<Item, Result> {
  /** Makes one call; gives an outcome per item, in order. */
  send(
    items: readonly Item[],
    signal: AbortSignal,
  ): Promise<readonly BatchOutcome<Result>[]>;
  /** What an item counts against maximumSize. */
  sizeOf(item: Item): number;
  /** Bound of a batch; an item that is larger goes alone. */
  maximumSize: number;
  /** Bound of a batch. */
  maximumItems: number;
  /**
   * Calls under way at a time. While all are, items wait and make larger
   * batches, so that the busier the callers, the less each call costs.
   */
  maximumInFlight: number;
  /**
   * Shortest time from one call to the next, in milliseconds; default 0. Items
   * that come at a steady pace then share calls too: the first one goes at
   * once, and the others wait for no longer than this.
   */
  gatherMs?: number;
}

interface Entry<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
  abandoned: boolean;
  /** Called when it is abandoned while its call is under way. */
  onAbandon: (() => void) | undefined;
}

/**
 * A batcher that sends what one turn of the event loop brought, and waits
 * longer only where it was told to. A call is cancelled when all of its callers
 * gave up.
 */
export function createBatcher<Item, Result>(
  options: BatcherOptions<Item, Result>,
): Batcher<Item, Result> {
  let queue: Entry<Item, Result>[] = [];
  let inFlight = 0;
  let scheduled = false;
  let nextCallMs = 0;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    const waitMs = nextCallMs - performance.now();
    if (waitMs > 0) setTimeout(sendQueue, waitMs);
    else setImmediate(sendQueue);
  }

  function sendQueue(): void {
    scheduled = false;
    while (queue.length > 0 && inFlight < options.maximumInFlight) {
      const batch = take();
      if (batch.length > 0) void send(batch);
    }
  }

  function take(): Entry<Item, Result>[] {
    queue = queue.filter(({ abandoned }) => !abandoned);
    let size = 0;
    let count = 0;
    for (const { item } of queue) {
      size += options.sizeOf(item);
      const full = size > options.maximumSize || count === options.maximumItems;
      if (full && count > 0) break;
      count++;
    }
    return queue.splice(0, count);
  }

  async function send(batch: readonly Entry<Item, Result>[]): Promise<void> {
    const controller = new AbortController();
    inFlight++;
    nextCallMs = performance.now() + (options.gatherMs ?? 0);
    for (const entry of batch) entry.onAbandon = giveUp;
    function giveUp(): void {
      if (batch.every(({ abandoned }) => abandoned)) controller.abort();
    }
    try {
      const items = batch.map(({ item }) => item);
      settle(batch, await options.send(items, controller.signal));
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    } finally {
      inFlight--;
      if (queue.length > 0) schedule();
    }
  }

  return {
    add: (item, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(toStatusError(signal.reason));
        const entry: Entry<Item, Result> = {
          item,
          resolve,
          reject,
          abandoned: false,
          onAbandon: undefined,
        };
        queue.push(entry);
        schedule();
        if (signal === undefined) return;
        const abandon = () => {
          entry.abandoned = true;
          reject(toStatusError(signal.reason));
          entry.onAbandon?.();
        };
        signal.addEventListener("abort", abandon, { once: true });
        const forget = () => signal.removeEventListener("abort", abandon);
        entry.resolve = (result) => {
          forget();
          resolve(result);
        };
        entry.reject = (error) => {
          forget();
          reject(error);
        };
      }),
  };
}

function settle<Item, Result>(
  batch: readonly Entry<Item, Result>[],
  outcomes: readonly BatchOutcome<Result>[],
): void {
  for (const [index, entry] of batch.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) {
      entry.reject(new RangeError("A batch gave fewer outcomes than items"));
    } else if ("error" in outcome) entry.reject(outcome.error);
    else entry.resolve(outcome.value);
  }
}
