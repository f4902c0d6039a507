import { type ImageReference, parseRegistryHost } from "../image/index.js";
import { Code, joinErrors, toStatusError } from "../status/index.js";
import type { FetchOptions, ImageSource } from "./image-source.js";
import type { RegistrySettingsByHost } from "./registry-settings.js";

/**
 * Asks a registry's mirrors first, in the order of its settings, then the
 * registry itself, whose error counts if all fail, with those of the mirrors
 * behind it. Blobs and pinned manifests
 * are verified wherever they come from; what a tag means is believed to a
 * mirror, as the operator named it.
 */
export function createMirroringImageSource(
  source: ImageSource,
  registries: RegistrySettingsByHost,
): ImageSource {
  const mirrors = new Map(
    Object.entries(registries).map(([host, settings]) => [
      parseRegistryHost(host),
      settings.mirrors ?? [],
    ]),
  );
  const candidates = (reference: ImageReference): readonly ImageReference[] => {
    if (reference.kind !== "registry") return [reference];
    const hosts = mirrors.get(reference.registry) ?? [];
    return [...hosts.map((host) => reference.withRegistry(host)), reference];
  };
  return {
    fetchManifest: async (reference, options = {}) => {
      const failures: unknown[] = [];
      for (const candidate of candidates(reference).slice(0, -1)) {
        try {
          return await source.fetchManifest(candidate, options);
        } catch (error) {
          throwIfOver(error, options);
          failures.push(error);
        }
      }
      try {
        return await source.fetchManifest(reference, options);
      } catch (error) {
        throw failures.length === 0 ? error : joinErrors([error, ...failures]);
      }
    },
    openBlob: async function* (reference, descriptor, options = {}) {
      const failures: unknown[] = [];
      for (const candidate of candidates(reference).slice(0, -1)) {
        let begun = false;
        try {
          for await (const chunk of source.openBlob(
            candidate,
            descriptor,
            options,
          )) {
            begun = true;
            yield chunk;
          }
          return;
        } catch (error) {
          // What was given out cannot be taken back and begun anew.
          if (begun) throw error;
          throwIfOver(error, options);
          failures.push(error);
        }
      }
      try {
        yield* source.openBlob(reference, descriptor, options);
      } catch (error) {
        throw failures.length === 0 ? error : joinErrors([error, ...failures]);
      }
    },
  };
}

/** Another mirror is no answer to a caller who gave up. */
function throwIfOver(error: unknown, { signal }: FetchOptions): void {
  const { code } = toStatusError(error);
  if (signal?.aborted === true || code === Code.Cancelled) throw error;
}
