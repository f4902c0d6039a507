import { z } from "zod";

/** Names of steps and outputs: they stand in URLs and in file names. */
export const nameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    "must begin with a letter or digit and hold at most 63 of A-Z a-z 0-9 . _ -",
  );

/** One of a step's outputs: a stream, or what it collects, by its name. */
export const sourceSchema = z.strictObject({
  /** Name of the step. */
  step: nameSchema,
  /** "stdout", "stderr", or the name of a collected output. */
  output: nameSchema,
});

/** Data that a step hands on. */
export type Source = z.infer<typeof sourceSchema>;

/** A variable of the program's environment. */
export const variableSchema = z.strictObject({
  name: z.string(),
  value: z.string(),
});

/** A program in an image: what `docker run` would be told. */
export const containerSchema = z.strictObject({
  kind: z.literal("container"),
  /** The image reference as it was written. */
  image: z.string(),
  /** Whether a tag is looked up again, although it is known already. */
  refresh: z.boolean(),
  /** Instead of the image's Entrypoint; its Cmd then does not count. */
  entrypoint: z.array(z.string()).optional(),
  /** Instead of the image's Cmd. */
  command: z.array(z.string()).optional(),
  /** Over the image's own; the later of a name counts. */
  environment: z.array(variableSchema),
  /** Variables whose values the worker takes from the operator's folder. */
  secrets: z.array(z.strictObject({ variable: z.string(), name: z.string() })),
  /** Instead of the image's User: "user[:group]", names or numbers. */
  user: z.string().optional(),
  /** Instead of the image's WorkingDir; absolute. */
  workingDirectory: z.string().optional(),
  /** Unset: as the service is configured. */
  network: z.enum(["host", "none"]).optional(),
  /** Read by the program as its standard input. */
  stdin: sourceSchema.optional(),
  /** Files that the program finds at absolute paths. */
  inputs: z.array(z.strictObject({ from: sourceSchema, path: z.string() })),
  /**
   * What is collected at its end, by absolute path; one that ends in "/" is a
   * directory.
   */
  outputs: z.array(z.strictObject({ name: nameSchema, path: z.string() })),
});

/** See containerSchema. */
export type Container = z.infer<typeof containerSchema>;

/** What an image reference meant when the job was submitted. */
export const resolvedImageSchema = z.strictObject({
  /** Canonical, with the digest of the platform's manifest. */
  reference: z.string(),
  /** The image's own, to be overruled by the container's. */
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  environment: z.array(variableSchema),
  user: z.string(),
  workingDirectory: z.string(),
});

/** See resolvedImageSchema. */
export type ResolvedContainerImage = z.infer<typeof resolvedImageSchema>;
