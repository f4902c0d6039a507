import type { InstanceName } from "../../digest/index.js";
import type { ImageReference } from "../../image/index.js";
import type { Operation } from "../operation.js";

/**
 * Whether an instance name may use an image: throws PermissionDenied if not.
 * It looks at names alone, so the answer tells nothing of what exists.
 */
export type CheckImage = (
  reference: ImageReference,
  instanceName: InstanceName,
) => void;

/**
 * Asks the policy before anything is sent to any registry, and for every
 * action anew: that an image is known already grants nothing.
 */
export function checkImagePolicy(checkImage: CheckImage): Operation {
  return (routed) => {
    for (const reference of routed.asked) {
      checkImage(reference, routed.instanceName);
    }
    return routed;
  };
}
