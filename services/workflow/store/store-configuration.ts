import { z } from "zod";

/** Where jobs are kept. */
export const storeConfigurationSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("sqlite"),
    /** The file; on a local disk, since it is locked. */
    path: z
      .string()
      .refine(
        (path) => path.startsWith("/") || path === ":memory:",
        'must be an absolute path, or ":memory:"',
      ),
  }),
]);

/** See storeConfigurationSchema. */
export type StoreConfiguration = z.output<typeof storeConfigurationSchema>;
