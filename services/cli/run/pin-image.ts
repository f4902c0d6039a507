import { parseImageReference } from "../../../lib/image/index.js";
import {
  createConfiguredImageSource,
  createSourceImageResolver,
} from "../../../lib/registry/index.js";

/**
 * The image with its digest, in canonical form: a reference that has one is
 * only checked, a tag is looked up in its registry for this machine's
 * platform. Routers refuse tags by default, since a cached result would
 * outlive what the tag meant.
 */
export async function pinImage(
  image: string,
  options: { dockerConfig: string | undefined; signal: AbortSignal },
): Promise<string> {
  const reference = parseImageReference(image);
  if (reference.kind !== "registry" || reference.digest !== undefined) {
    return String(reference);
  }
  // Named by the user in person, so it may have a private address.
  const registries = {
    [reference.registry]: { realmHosts: [], mirrors: [] },
  };
  const { dockerConfig, signal } = options;
  const { source, close } = createConfiguredImageSource({
    registries,
    dockerConfig,
  });
  try {
    const platform = {
      os: "linux",
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      variant: undefined,
    };
    const resolver = createSourceImageResolver(source);
    const resolved = await resolver.resolve(reference, platform, { signal });
    return String(resolved.reference);
  } finally {
    await close();
  }
}
