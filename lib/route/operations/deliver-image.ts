import { Code, StatusError } from "../../status/index.js";
import { nameOfImage } from "../action-image.js";
import type { ImageDelivery } from "../image-delivery.js";
import type { Operation } from "../operation.js";

/**
 * Sees to it that the worker can have the image: that its tree is in CAS, or
 * that it is one which the worker's root fetcher can take from a registry.
 */
export function deliverImage(delivery: ImageDelivery): Operation {
  return async (routed, context) => {
    const { place, instanceName } = routed;
    if (place.kind !== "image") return routed;
    const { parts } = place.image;
    if ("trees" in delivery) {
      const tree = await delivery.trees.get(parts, context);
      return { ...routed, place: { kind: "image", image: { parts, tree } } };
    }
    const [only, ...more] = parts;
    if (more.length === 0 && only?.kind === "manifest") return routed;
    throw new StatusError(
      Code.InvalidArgument,
      `Instance name "${instanceName}" takes one image from a registry, since its workers have no image from CAS (mode inline, or source cas): current value is "${nameOfImage(place.image)}"`,
    );
  };
}
