import { z } from "zod";

/** What is in a directory that a step left. */
export const outputListingSchema = z
  .object({
    entries: z.array(
      z.object({
        name: z.string(),
        kind: z.enum(["file", "directory", "symlink"]),
        sizeBytes: z.number().optional().meta({ description: "Of files" }),
        target: z.string().optional().meta({ description: "Of symlinks" }),
      }),
    ),
  })
  .meta({ id: "OutputListing" });

/** See outputListingSchema. */
export type OutputListing = z.infer<typeof outputListingSchema>;
