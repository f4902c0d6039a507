import type { ImageReference } from "../../lib/image/index.js";
import {
  createConfiguredImageSource,
  createDispatchingImageSource,
  createLayoutImageSource,
  type ImageSource,
} from "../../lib/registry/index.js";
import { type RegistryFlags, registryEntries } from "./registry-flags.js";

/**
 * Opens where an image comes from: its registry, which was named by the user
 * in person and so may have a private address, or a layout on disk.
 */
export function openImageSource(
  reference: ImageReference,
  flags: RegistryFlags,
): { readonly source: ImageSource; close(): Promise<void> } {
  const named = reference.kind === "registry" ? [reference.registry] : [];
  const entries = registryEntries({
    ...flags,
    registries: [...named, ...flags.registries],
  });
  const { source: registry, close } = createConfiguredImageSource({
    registries: Object.fromEntries(
      Object.entries(entries).map(([host, entry]) => [
        host,
        { realmHosts: [], mirrors: [], ...entry },
      ]),
    ),
    dockerConfig: flags.dockerConfig,
  });
  const layout = createLayoutImageSource();
  return { source: createDispatchingImageSource({ registry, layout }), close };
}
