import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Below, what a collection frees is not worth its time. */
const fewestEntries = 30_000;

let collect: (() => void) | undefined;

/**
 * Collects this thread's garbage at a moment when much of it came about at
 * once, with what an image or tree of so many entries took; does nothing after
 * a small one. V8 collects by what its own heap holds, and most of this is
 * buffers outside of it: the heap of a thread that has let go of 40 MiB of them
 * may look as good as empty for the rest of the job.
 */
export function collectGarbage(entries: number): void {
  if (entries < fewestEntries) return;
  collect ??= exposedCollector();
  collect();
}

/** Contexts that are made while the flag is set have the function. */
function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  try {
    return runInNewContext("gc") as () => void;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
