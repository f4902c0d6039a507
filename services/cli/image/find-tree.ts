import type { Digest } from "../../../lib/digest/index.js";
import { parseImageReference } from "../../../lib/image/index.js";
import { readDirectory } from "../../../lib/merkle-tree/index.js";
import { Code, toStatusError, wrap } from "../../../lib/status/index.js";
import type { ImageSettings } from "./image-settings.js";
import { importImage } from "./import-image.js";
import type { OpenCas } from "./open-cas.js";

/** The tree that a user named, which is in CAS. */
export interface NamedTree {
  /** As it was named, tags with the digest that they stand for. */
  readonly reference: string;
  readonly rootDigest: Digest;
}

/**
 * Finds the tree of `cas://…`, or of an image, which is imported unless CAS
 * has it. Throws InvalidArgument for a malformed reference, NotFound where CAS
 * has no such tree, and what importImage throws.
 */
export async function findTree(
  text: string,
  options: {
    readonly settings: ImageSettings;
    readonly open: OpenCas;
    readonly env: NodeJS.ProcessEnv;
  },
): Promise<NamedTree> {
  const reference = parseImageReference(text, {
    allowCas: true,
    allowLayouts: true,
  });
  if (reference.kind !== "cas") {
    const { image, imported } = await importImage(reference, options);
    const { rootDigest } = imported;
    return { reference: String(image.reference), rootDigest };
  }
  const { open } = options;
  const rootDigest = reference.directoryDigest;
  try {
    await readDirectory(open.cas, rootDigest, open.context);
  } catch (error) {
    throw toStatusError(error).code === Code.NotFound
      ? wrap(
          error,
          `CAS at "${open.address}" has no tree "${reference}": import its image again, or check the digest`,
        )
      : wrap(error, `"${reference}" cannot be used`);
  }
  return { reference: String(reference), rootDigest };
}
