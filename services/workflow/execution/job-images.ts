import {
  type Platform,
  parseImageReference,
  parseOciDigest,
  RegistryReference,
} from "../../../lib/image/index.js";
import type {
  ImageResolver,
  ResolvedImage,
} from "../../../lib/registry/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import type { Container, ResolvedContainerImage } from "../model/container.js";
import type { JobStore } from "../store/job-store.js";

/** What the image references of jobs mean. */
export interface JobImages {
  /**
   * Looks an image up. A tag that was seen before means what it meant then,
   * unless it is to be refreshed (Dray's API, "refresh"). Throws what
   * ImageResolver throws.
   */
  resolve(
    container: Container,
    signal: AbortSignal,
  ): Promise<ResolvedContainerImage>;
}

/** Images of registries, as jobs see them. */
export function createJobImages(options: {
  resolver: ImageResolver;
  platform: Platform;
  pins: Pick<JobStore, "pin" | "setPin">;
}): JobImages {
  const { resolver, platform, pins } = options;
  const resolve = (reference: RegistryReference, signal: AbortSignal) =>
    resolver.resolve(reference, platform, { signal });
  return {
    resolve: async ({ image: text, refresh }, signal) => {
      const reference = parseJobImage(text);
      if (reference.digest !== undefined) {
        return describe(await resolve(reference, signal));
      }
      const name = String(reference);
      const pin = refresh ? undefined : await pins.pin(name);
      if (pin !== undefined) {
        const pinned = reference.withDigest(parseOciDigest(pin, "Pin"));
        const image = await resolve(pinned, signal).catch(undefinedIfGone);
        if (image !== undefined) return describe(image);
      }
      const image = await resolve(reference, signal);
      await pins.setPin(name, image.manifestDigest);
      return describe(image);
    },
  };
}

/** Throws InvalidArgument for what is no image of a registry. */
export function parseJobImage(text: string): RegistryReference {
  const reference = parseImageReference(text);
  if (reference instanceof RegistryReference) return reference;
  throw new StatusError(
    Code.InvalidArgument,
    `Image of a step must be in a registry: current value is "${text}"`,
  );
}

/** What was pinned is gone from its registry: the tag is looked up again. */
function undefinedIfGone(error: unknown): undefined {
  if (toStatusError(error).code !== Code.NotFound) throw error;
  return undefined;
}

function describe({
  reference,
  config,
}: ResolvedImage): ResolvedContainerImage {
  return {
    reference: String(reference),
    entrypoint: [...config.entrypoint],
    command: [...config.cmd],
    environment: config.env.map(({ name, value }) => ({ name, value })),
    user: config.user,
    workingDirectory: config.workingDirectory,
  };
}
