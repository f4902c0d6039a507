import type {
  Platform,
  Platform_Property,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { compareUtf8 } from "./compare-utf8.js";

/**
 * A platform with these properties as the scheduler demands them: strictly
 * sorted by name and value, none twice. Gives back `platform` itself when it
 * says the same already, so that what nobody changed keeps its bytes.
 */
export function platformOf(
  platform: Platform | undefined,
  properties: readonly Platform_Property[],
): Platform {
  if (platform?.properties === properties && isStrictlySorted(properties)) {
    return platform;
  }
  const sorted = [...properties].sort(compareProperties);
  return {
    ...platform,
    properties: sorted.filter((property, at) => {
      const previous = sorted[at - 1];
      return (
        previous === undefined || compareProperties(previous, property) !== 0
      );
    }),
  };
}

function isStrictlySorted(properties: readonly Platform_Property[]): boolean {
  return properties.every((property, at) => {
    const previous = properties[at - 1];
    return previous === undefined || compareProperties(previous, property) < 0;
  });
}

function compareProperties(a: Platform_Property, b: Platform_Property): number {
  return compareUtf8(a.name, b.name) || compareUtf8(a.value, b.value);
}
