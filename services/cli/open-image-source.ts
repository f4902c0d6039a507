import type { ImageReference } from "../../lib/image/index.js";
import {
  createConfiguredImageSource,
  createDispatchingImageSource,
  createLayoutImageSource,
  type ImageSource,
} from "../../lib/registry/index.js";
import { type RegistryFlags, registryEntries } from "./registry-flags.js";
import { readLocalRegistries } from "./up/local-router.js";

/** Where a command finds images. */
export interface ImageSourceOptions {
  readonly flags: RegistryFlags;
  /**
   * Folder of `berth up`: what that was told of a registry holds here, too,
   * unless flags say otherwise of it.
   */
  readonly state: string;
}

/**
 * Opens where an image comes from: its registry, which was named by the user
 * in person and so may have a private address, or a layout on disk.
 */
export async function openImageSource(
  reference: ImageReference,
  { flags, state }: ImageSourceOptions,
): Promise<{ readonly source: ImageSource; close(): Promise<void> }> {
  const known = await readLocalRegistries(state);
  const named = reference.kind === "registry" ? [reference.registry] : [];
  const entries = registryEntries({
    ...flags,
    registries: [...named, ...flags.registries],
  });
  const { source: registry, close } = createConfiguredImageSource({
    registries: {
      ...known,
      ...Object.fromEntries(
        Object.entries(entries).map(([host, entry]) => [
          host,
          { realmHosts: [], mirrors: [], ...known[host], ...entry },
        ]),
      ),
    },
    dockerConfig: flags.dockerConfig,
  });
  const layout = createLayoutImageSource();
  return { source: createDispatchingImageSource({ registry, layout }), close };
}
