import { setTimeout as sleep } from "node:timers/promises";
import { isRetryable, toStatusError, wrap } from "../../../lib/status/index.js";
import type { ResolvedContainerImage } from "../model/container.js";
import type { Job } from "../model/job.js";
import type { StepSpecification } from "../model/step.js";
import { checkRunnable } from "./build-action.js";
import type { JobImages } from "./job-images.js";

/** Where images are looked up, and how patiently. */
export interface ImageResolution {
  readonly images: JobImages;
  /** How long an image may be out of reach. */
  readonly prepareTimeoutMs: number;
  /** Between two attempts. */
  readonly retryDelayMs: number;
}

/**
 * What the images mean of all steps that do not know it yet, by the step's
 * name. Throws for the first that cannot be used, naming the step.
 */
export async function resolveImages(
  job: Job,
  resolution: ImageResolution,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ResolvedContainerImage>> {
  const deadline = Date.now() + resolution.prepareTimeoutMs;
  const resolved = job.steps
    .filter(({ image }) => image === undefined)
    .map(async ({ specification }) => {
      const { name, work } = specification;
      try {
        const image = await resolve(specification, resolution, {
          deadline,
          signal,
        });
        checkRunnable(work, image);
        return [name, image] as const;
      } catch (error) {
        signal.throwIfAborted();
        throw wrap(error, `Step "${name}"`);
      }
    });
  return new Map(await Promise.all(resolved));
}

async function resolve(
  { work }: StepSpecification,
  { images, retryDelayMs }: ImageResolution,
  { deadline, signal }: { deadline: number; signal: AbortSignal },
): Promise<ResolvedContainerImage> {
  for (;;) {
    try {
      return await images.resolve(work, signal);
    } catch (thrown) {
      const { code } = toStatusError(thrown);
      if (!isRetryable(code) || Date.now() > deadline) throw thrown;
      await sleep(retryDelayMs, undefined, { signal });
    }
  }
}
