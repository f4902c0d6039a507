import {
  type ImageReference,
  parseImageList,
} from "../../../lib/image/index.js";
import { createSourceImageResolver } from "../../../lib/registry/index.js";
import { openImageSource } from "../open-image-source.js";
import type { RegistryFlags } from "../registry-flags.js";
import { showWaiting } from "./show-waiting.js";

interface PinOptions {
  readonly registries: RegistryFlags;
  readonly signal: AbortSignal;
}

/**
 * Images joined by "+", each with its digest, in canonical form: a reference
 * that has one is only checked, a tag is looked up in its registry for this
 * machine's platform. Routers refuse tags by default, since a cached result
 * would outlive what the tag meant.
 */
export async function pinImages(
  text: string,
  options: PinOptions,
): Promise<string> {
  const references = parseImageList(text, { allowCas: true });
  const pinned = await Promise.all(
    references.map((reference) => pin(reference, options)),
  );
  return pinned.join(" + ");
}

async function pin(
  reference: ImageReference,
  { registries, signal }: PinOptions,
): Promise<string> {
  if (reference.kind !== "registry" || reference.digest !== undefined) {
    return String(reference);
  }
  const { source, close } = openImageSource(reference, registries);
  try {
    const platform = {
      os: "linux",
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      variant: undefined,
    };
    const resolver = createSourceImageResolver(source);
    const resolved = await showWaiting(
      process.stderr,
      `looking up ${reference}`,
      resolver.resolve(reference, platform, { signal }),
    );
    return String(resolved.reference);
  } finally {
    await close();
  }
}
