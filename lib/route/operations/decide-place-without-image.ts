import { Code, StatusError } from "../../status/index.js";
import type { Reading } from "../operation.js";

/**
 * What happens to an action without an image: it runs on the worker as it is,
 * in the worker's own root behind the helper, or not at all.
 */
export type NoImagePolicy = "pass" | "sandbox" | "reject";

/** Decides the place of actions that ask for no image. */
export function decidePlaceWithoutImage(options: {
  policy: NoImagePolicy;
  /** The property that an error tells the client to set. */
  imageProperty: string;
}): Reading {
  return (routed) => {
    if (routed.asked.length > 0) return routed;
    switch (options.policy) {
      case "pass":
        return { ...routed, place: { kind: "worker" } };
      case "sandbox":
        return { ...routed, place: { kind: "sandbox" } };
      case "reject":
        throw new StatusError(
          Code.InvalidArgument,
          `Platform property "${options.imageProperty}" must name an image: instance name "${routed.instanceName}" takes no actions without one`,
        );
    }
  };
}
