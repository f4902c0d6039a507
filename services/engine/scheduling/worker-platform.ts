import type { Platform } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** Values per property that this machine has; "*" stands for any. */
export type WorkerPlatform = Readonly<Record<string, readonly string[]>>;

/**
 * Throws FailedPrecondition, naming the property, its value and what the
 * worker has, for an action that no worker here can ever execute: the
 * alternative, waiting for a worker that may come, looks like a hang.
 */
export function checkPlatform(
  platform: Platform | undefined,
  worker: WorkerPlatform,
): void {
  for (const { name, value } of platform?.properties ?? []) {
    const values = Object.hasOwn(worker, name) ? worker[name] : undefined;
    if (values?.includes(value) || values?.includes("*")) continue;
    throw new StatusError(
      Code.FailedPrecondition,
      `No worker has platform property ${JSON.stringify(name)} with value ${JSON.stringify(value)}: the worker has ${describe(worker)}`,
    );
  }
}

function describe(worker: WorkerPlatform): string {
  const all = Object.entries(worker).flatMap(([name, values]) =>
    values.map((value) => `${name}=${value}`),
  );
  return all.length === 0 ? "no properties" : all.join(", ");
}
