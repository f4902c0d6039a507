import { z } from "zod";

const time = z.iso.datetime();

/** Where a job is. */
export const jobStateSchema = z.enum([
  "preparing",
  "running",
  "cancelling",
  "succeeded",
  "failed",
  "cancelled",
]);

/** See jobStateSchema. */
export type JobStateName = z.infer<typeof jobStateSchema>;

/** Where a step is. */
export const stepStateSchema = z.enum([
  "waiting",
  "ready",
  /** Given to the engine, which has it in its queue. */
  "queued",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
  "lost",
]);

/** See stepStateSchema. */
export type StepStateName = z.infer<typeof stepStateSchema>;

/** Why something did not go well. */
export const reasonSchema = z
  .object({
    code: z.string().meta({
      description:
        '"EXIT_CODE", "TIMEOUT", or a gRPC status code for what was not the program\'s doing',
    }),
    text: z.string(),
  })
  .meta({ id: "Reason" });

/** A stream of a step's log. */
const logSchema = z.object({
  url: z.string().meta({ description: "Bytes; takes Range" }),
  sizeBytes: z.number().optional().meta({
    description: "Absent while the step runs",
  }),
});

/** Something that a step left. */
export const outputViewSchema = z
  .object({
    name: z.string(),
    path: z.string().meta({ description: "In the root of the step" }),
    kind: z.enum(["file", "directory"]),
    digest: z.string().meta({
      description:
        'In CAS: "hash/size"; of a directory that of its root Directory',
    }),
    url: z.string(),
  })
  .meta({ id: "Output" });

/** A step as it is shown. */
export const stepViewSchema = z
  .object({
    name: z.string(),
    state: stepStateSchema,
    needs: z.array(z.string()),
    image: z.object({
      reference: z.string().meta({ description: "As it was written" }),
      resolved: z.string().optional().meta({
        description: "With the digest that it meant at submission",
      }),
    }),
    cache: z.boolean(),
    cached: z.boolean().meta({
      description: "Its result came out of the action cache: nothing was run",
    }),
    retry: z.enum(["infrastructure", "never"]),
    attempts: z.number(),
    reason: reasonSchema.optional(),
    exitCode: z.number().optional(),
    startedAt: time.optional(),
    endedAt: time.optional(),
    worker: z.string().optional(),
    times: z
      .record(z.string(), time)
      .optional()
      .meta({ description: "When what happened on the worker" }),
    resources: z
      .object({
        userTimeMs: z.number(),
        systemTimeMs: z.number(),
        maximumResidentBytes: z.number(),
      })
      .optional(),
    log: z.object({
      isLive: z.boolean().meta({
        description:
          "Whether it can be read now, while the step runs; otherwise it comes with the result",
      }),
      stdout: logSchema,
      stderr: logSchema,
    }),
    outputs: z.array(outputViewSchema),
  })
  .meta({ id: "Step" });

/** See stepViewSchema. */
export type StepView = z.infer<typeof stepViewSchema>;

/** A job in a list. */
export const jobSummarySchema = z
  .object({
    id: z.string(),
    name: z.string().optional(),
    labels: z.record(z.string(), z.string()),
    state: jobStateSchema,
    reason: reasonSchema.optional(),
    createdAt: time,
    startedAt: time.meta({ description: "Of the present run" }),
    endedAt: time.optional(),
    run: z.number().meta({ description: "1, and one more for each retry" }),
    stepsTotal: z.number(),
    stepsSucceeded: z.number(),
    stepsCached: z.number(),
  })
  .meta({ id: "JobSummary" });

/** See jobSummarySchema. */
export type JobSummary = z.infer<typeof jobSummarySchema>;

/** A job as it is shown. */
export const jobViewSchema = jobSummarySchema
  .extend({
    steps: z.array(stepViewSchema),
    pastRuns: z
      .array(
        z.object({
          state: jobStateSchema,
          reason: reasonSchema.optional(),
          startedAt: time,
          endedAt: time.optional(),
        }),
      )
      .optional()
      .meta({ description: "Those that a retry came after, the first first" }),
  })
  .meta({ id: "Job" });

/** See jobViewSchema. */
export type JobView = z.infer<typeof jobViewSchema>;

/** A page of a list. */
export const jobListSchema = z
  .object({
    jobs: z.array(jobSummarySchema),
    cursor: z.string().optional().meta({
      description: "For the next page; absent at the end",
    }),
  })
  .meta({ id: "JobList" });

/** See jobListSchema. */
export type JobList = z.infer<typeof jobListSchema>;

/** What every error's body is. */
export const errorViewSchema = z
  .object({
    error: z.object({
      code: z.string().meta({ description: "Name of a gRPC status code" }),
      message: z.string(),
    }),
  })
  .meta({ id: "Error" });

/** See errorViewSchema. */
export type ErrorView = z.infer<typeof errorViewSchema>;
