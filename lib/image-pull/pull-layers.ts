import {
  type PulledLayer,
  type PullProgress,
  PullProgressSum,
} from "./pull-progress.js";

/** What is told of one layer while it is read. */
export interface LayerWaiter {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly bytesDone: number }) => void;
}

/**
 * Has every different layer of an image prepared, all at once; `prepare` gives
 * the number of entries. The first failure ends all of them and is thrown when
 * all have ended; so is the reason of the signal.
 */
export async function pullLayers<Layer extends PulledLayer>(
  layers: readonly Layer[],
  options: {
    readonly signal: AbortSignal;
    readonly report: (progress: PullProgress) => void;
    readonly prepare: (layer: Layer, waiter: LayerWaiter) => Promise<number>;
  },
): Promise<void> {
  const { signal, report, prepare } = options;
  const unique = new Map(layers.map((layer) => [layer.diffId, layer]));
  const progress = new PullProgressSum([...unique.values()], report);
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await Promise.allSettled(
    [...unique.values()].map(async (layer) => {
      try {
        const entries = await prepare(layer, {
          signal: either,
          onProgress: ({ bytesDone }) => progress.at(layer, bytesDone),
        });
        progress.done(layer, entries);
      } catch (error) {
        failed.abort(error);
      }
    }),
  );
  signal.throwIfAborted();
  // The first to fail is the signal's reason; the rest failed because of it.
  failed.signal.throwIfAborted();
}
