import type { RoutedAction } from "../routed-action.js";

/**
 * Takes the platform of the Command where the Action has none: clients before
 * REAPI 2.2 say it only there, and the scheduler no longer looks.
 */
export async function promoteCommandPlatform(
  routed: RoutedAction,
): Promise<RoutedAction> {
  if (routed.properties.length > 0) return routed;
  const { platform } = await routed.loadCommand();
  if (platform === undefined || platform.properties.length === 0) {
    return routed;
  }
  return {
    ...routed,
    action: { ...routed.action, platform },
    properties: platform.properties,
  };
}
