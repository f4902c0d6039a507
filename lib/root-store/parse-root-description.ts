import { z } from "zod";
import type { RootDescription } from "./root-description.js";

const schema = z.object({
  reference: z.string(),
  diffIds: z.array(z.string()),
  files: z.number(),
  directories: z.number(),
  symlinks: z.number(),
  sizeBytes: z.number(),
  config: z.unknown().optional(),
});

/** Reads the text of image.json; undefined if it is damaged. */
export function tryParseRootDescription(
  text: string,
): RootDescription | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined; // Damaged by the disk; the caller makes the root anew.
  }
}
