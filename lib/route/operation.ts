import type { RouteContext } from "./route-context.js";
import type { RoutedAction } from "./routed-action.js";

/**
 * One step of the pipeline: from a routed action to the next. It must be a
 * pure function of the action, the configuration and the image digest; that
 * is why an operation is never shown the request's metadata.
 */
export type Operation = (
  routed: RoutedAction,
  context: RouteContext,
) => RoutedAction | Promise<RoutedAction>;

/**
 * An operation that reads what the action asks for, of its platform properties
 * and the instance name alone: it changes nothing else, and waits for nothing.
 */
export type Reading = (routed: RoutedAction) => RoutedAction;
