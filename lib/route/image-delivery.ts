import type { CasImage } from "../cas-image/index.js";
import type { ImagePart } from "./action-image.js";
import type { RouteContext } from "./route-context.js";

/** Where trees of images are in CAS. */
export interface ImageTrees {
  /**
   * The tree of the parts laid over each other, all of which is in CAS.
   * Throws what importing an image throws.
   */
  get(parts: readonly ImagePart[], context: RouteContext): Promise<CasImage>;
}

/** How an image reaches the worker. */
export type ImageDelivery =
  /** The worker's root fetcher makes a root from the registry's layers. */
  | { readonly mode: "bind_mount"; readonly source: "registry" }
  /** The worker's root fetcher makes a root from the tree in CAS. */
  | {
      readonly mode: "bind_mount";
      readonly source: "cas";
      readonly trees: ImageTrees;
    }
  /** The tree is the action's input root, and holds the action's own. */
  | { readonly mode: "inline"; readonly trees: ImageTrees };
