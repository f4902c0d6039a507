import type { Operation } from "../operation.js";

/**
 * Takes the platform of the Command where the Action has none: clients before
 * REAPI 2.2 say it only there, and the scheduler no longer looks.
 */
export const promoteCommandPlatform: Operation = async (routed, context) => {
  if (routed.properties.length > 0) return routed;
  const { platform } = await routed.loadCommand(context);
  if (platform === undefined || platform.properties.length === 0) {
    return routed;
  }
  return {
    ...routed,
    action: { ...routed.action, platform },
    properties: platform.properties,
  };
};
