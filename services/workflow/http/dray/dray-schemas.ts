import { z } from "zod";

/** Most steps or variables of one list; Dray's document names no limit. */
const maximumEntries = 1_000;

const variable = z.strictObject({
  variable: z
    .string()
    .max(1_024)
    .regex(/^[^=\0]+$/, 'must not be empty, nor hold "=" or NUL'),
  value: z
    .string()
    .max(2 ** 17 - 1)
    .regex(/^[^\0]*$/, "must not hold NUL"),
});

const environment = z.array(variable).max(maximumEntries);

const step = z.strictObject({
  name: z.string().max(255).optional(),
  environment: environment.optional(),
  source: z.string().min(1).max(1_024).meta({
    description: "Name of the image; without a tag that is `latest`",
  }),
  output: z
    .string()
    .max(4_096)
    .regex(
      /^(stdout|stderr|\/[^\0]*[^\0/])$/,
      'must be "stdout", "stderr" or the absolute path of a file',
    )
    .optional()
    .meta({
      description:
        "What is passed to the next step: `stdout` (default), `stderr`, or an absolute path of a file",
    }),
  refresh: z.boolean().optional().meta({
    description: "Whether the tag is looked up again although it is known",
  }),
});

/** A job as Dray's API takes it ("Create Job"). */
export const drayJobSchema = z
  .strictObject({
    name: z.string().max(255).optional(),
    environment: environment.optional(),
    steps: z.array(step).min(1).max(maximumEntries),
  })
  .meta({ id: "DrayJob" });

/** See drayJobSchema. */
export type DrayJob = z.infer<typeof drayJobSchema>;

/** The answer to a submission: what was sent, behind the id. */
export const drayCreatedSchema = z
  .object({ id: z.string(), ...drayJobSchema.shape })
  .meta({ id: "DrayCreatedJob" });

/** "List Jobs". */
export const drayJobListSchema = z.array(z.object({ id: z.string() }));

/** "Get Job". */
export const drayStatusSchema = z
  .object({
    id: z.string(),
    stepsCompleted: z.number(),
    status: z.enum(["running", "complete", "error"]),
  })
  .meta({ id: "DrayJobStatus" });

/** "Get Job Log". */
export const drayLogSchema = z.object({
  lines: z.array(z.string()).meta({
    description:
      "As many as one answer has room for: ask again with a higher index",
  }),
});
