import type { RoutedAction } from "../routed-action.js";

/**
 * Takes the platform of the Command where the Action has none: clients before
 * REAPI 2.2 say it only there, and the scheduler no longer looks.
 */
export function promoteCommandPlatform(
  routed: RoutedAction,
): RoutedAction | Promise<RoutedAction> {
  return routed.properties.length > 0 ? routed : promote(routed);
}

async function promote(routed: RoutedAction): Promise<RoutedAction> {
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
