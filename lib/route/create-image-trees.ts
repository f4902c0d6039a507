import type { ContentAddressableStorage } from "../cas/index.js";
import {
  type AuthenticatedRecords,
  type CasImageKeeper,
  createComposedOrigin,
  createImportOrigin,
  createTreeOrigin,
  type ImageOrigin,
} from "../cas-image/index.js";
import type { ImageImporter } from "../image-import/index.js";
import {
  type ImageSource,
  imageLayersOf,
  type ResolvedImage,
} from "../registry/index.js";
import type { ImagePart } from "./action-image.js";
import type { ImageTrees } from "./image-delivery.js";

/**
 * Trees of images in CAS, imported from their source when CAS has none, and
 * laid over each other where an action asks for several.
 */
export function createImageTrees(parts: {
  readonly cas: ContentAddressableStorage;
  readonly keeper: CasImageKeeper;
  readonly importer: ImageImporter;
  readonly source: ImageSource;
  readonly records: AuthenticatedRecords | undefined;
}): ImageTrees {
  const { cas, keeper, importer, source, records } = parts;
  // Actions of one image share what the resolver keeps.
  const origins = new WeakMap<ResolvedImage, ImageOrigin>();
  const originOf = (part: ImagePart): ImageOrigin => {
    if (part.kind === "tree") {
      return createTreeOrigin(part.reference.directoryDigest);
    }
    const { image } = part;
    const known = origins.get(image);
    if (known !== undefined) return known;
    const origin = createImportOrigin(
      {
        reference: `${image.reference}`,
        manifestDigest: image.manifestDigest,
        layers: imageLayersOf(image, source),
      },
      { importer, records },
    );
    origins.set(image, origin);
    return origin;
  };
  return {
    get: async (imageParts, context) => {
      const images = await Promise.all(
        imageParts.map((part) => keeper.get(originOf(part), context)),
      );
      const [only] = images;
      if (only !== undefined && images.length === 1) return only;
      const roots = images.map(({ rootDigest }) => rootDigest);
      return keeper.get(createComposedOrigin(roots, cas), context);
    },
  };
}
