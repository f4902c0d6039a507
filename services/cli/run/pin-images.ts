import {
  type ImageReference,
  parseImageList,
} from "../../../lib/image/index.js";
import { createSourceImageResolver } from "../../../lib/registry/index.js";
import {
  type ImageSourceOptions,
  openImageSource,
} from "../open-image-source.js";
import { showWaiting } from "./show-waiting.js";

interface PinOptions extends ImageSourceOptions {
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
  options: PinOptions,
): Promise<string> {
  if (reference.kind !== "registry" || reference.digest !== undefined) {
    return String(reference);
  }
  const { source, close } = await openImageSource(reference, options);
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
      resolver.resolve(reference, platform, { signal: options.signal }),
    );
    return String(resolved.reference);
  } finally {
    await close();
  }
}
