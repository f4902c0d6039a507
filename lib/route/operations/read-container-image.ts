import {
  type ImageReference,
  type ImageReferenceOptions,
  parseImageList,
} from "../../image/index.js";
import { Code, StatusError, wrap } from "../../status/index.js";
import type { Reading } from "../operation.js";
import { quote } from "../quote.js";

/**
 * Reads the image that the action asks for, or images to lay over each other,
 * by any of these property names, and takes them off. An empty value and
 * "none" ask for no image. Fails with InvalidArgument when two of them name
 * different images.
 */
export function readContainerImage(
  names: readonly string[],
  kinds: ImageReferenceOptions,
): Reading {
  const known = new Set(names);
  return (routed) => {
    const asking = routed.properties.filter(({ name }) => known.has(name));
    const [first] = asking;
    if (first === undefined) return routed;
    const asked = readReferences(first, kinds);
    for (const other of asking) {
      if (`${readReferences(other, kinds)}` !== `${asked}`) {
        throw new StatusError(
          Code.InvalidArgument,
          `Platform properties ${quote(first.name)} and ${quote(other.name)} must name the same image: current values are ${quote(first.value)} and ${quote(other.value)}`,
        );
      }
    }
    const properties = routed.properties.filter(({ name }) => !known.has(name));
    return { ...routed, asked, properties };
  };
}

function readReferences(
  property: { name: string; value: string },
  kinds: ImageReferenceOptions,
): readonly ImageReference[] {
  const { name, value } = property;
  if (value === "" || value === "none") return [];
  try {
    return parseImageList(value, kinds);
  } catch (error) {
    throw wrap(error, `Failed to read platform property ${quote(name)}`);
  }
}
