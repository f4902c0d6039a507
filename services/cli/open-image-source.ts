import type { ImageReference } from "../../lib/image/index.js";
import {
  createConfiguredImageSource,
  createDispatchingImageSource,
  createLayoutImageSource,
  type ImageSource,
} from "../../lib/registry/index.js";

/** What a command was told of registries. */
export interface ImageSourceOptions {
  /** Registries that may have addresses in private networks. */
  readonly registries?: readonly string[];
  /** Likewise, and spoken to in plain HTTP. */
  readonly plainRegistries?: readonly string[];
  readonly dockerConfig: string | undefined;
}

/**
 * Opens where an image comes from: its registry, which was named by the user
 * in person and so may have a private address, or a layout on disk.
 */
export function openImageSource(
  reference: ImageReference,
  options: ImageSourceOptions,
): { readonly source: ImageSource; close(): Promise<void> } {
  const { registries = [], plainRegistries = [], dockerConfig } = options;
  const listed = (hosts: readonly string[], plainHttp?: true) =>
    hosts.map((host) => [
      host,
      { realmHosts: [], mirrors: [], ...(plainHttp && { plainHttp }) },
    ]);
  const own = reference.kind === "registry" ? [reference.registry] : [];
  const { source: registry, close } = createConfiguredImageSource({
    registries: Object.fromEntries([
      ...listed([...own, ...registries]),
      ...listed(plainRegistries, true),
    ]),
    dockerConfig,
  });
  const layout = createLayoutImageSource();
  return { source: createDispatchingImageSource({ registry, layout }), close };
}
