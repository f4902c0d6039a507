import { LRUCache } from "lru-cache";
import type { Reading } from "./operation.js";
import type { RoutedAction } from "./routed-action.js";

/** What of an action follows from its platform properties. */
type Understanding = Pick<
  RoutedAction,
  "properties" | "asked" | "place" | "network" | "user" | "step"
>;

/** Platforms that are remembered, in characters: those of a few hundred builds. */
const maximumSize = 2 ** 20;

/** A client's platform of this many characters is understood anew each time. */
const maximumEntrySize = 2 ** 13;

/**
 * Reads what an action asks for, once for all actions of an instance name that
 * ask for the same: those of a build have a handful of platforms. A refusal is
 * never remembered.
 */
export function createUnderstanding(read: Reading): Reading {
  const known = new LRUCache<string, Understanding>({
    maxSize: maximumSize,
    maxEntrySize: maximumEntrySize,
    sizeCalculation: (_, key) => key.length,
  });
  return (routed) => {
    const key = `${routed.instanceName} ${JSON.stringify(routed.properties)}`;
    const remembered = known.get(key);
    if (remembered !== undefined) return { ...routed, ...remembered };
    const understood = read(routed);
    const { properties, asked, place, network, user, step } = understood;
    known.set(key, { properties, asked, place, network, user, step });
    return understood;
  };
}
