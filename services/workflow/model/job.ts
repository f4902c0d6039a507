import { z } from "zod";
import { reasonSchema } from "./reason.js";
import { stepSchema, timeSchema } from "./step.js";

/**
 * The state of a job's present run. It follows from the states of its steps
 * but for what was asked of the job as a whole.
 */
export const jobStateSchema = z.discriminatedUnion("kind", [
  /** What the images' references mean is being looked up. */
  z.strictObject({ kind: z.literal("preparing") }),
  z.strictObject({ kind: z.literal("running") }),
  /** No step begins any more; those under way are being stopped. */
  z.strictObject({ kind: z.literal("cancelling") }),
  z.strictObject({ kind: z.literal("succeeded"), at: timeSchema }),
  z.strictObject({
    kind: z.literal("failed"),
    at: timeSchema,
    reason: reasonSchema,
  }),
  z.strictObject({ kind: z.literal("cancelled"), at: timeSchema }),
]);

/** See jobStateSchema. */
export type JobState = z.infer<typeof jobStateSchema>;

/** How an earlier run of a job ended. */
export const pastRunSchema = z.strictObject({
  startedAt: timeSchema,
  state: jobStateSchema,
});

/** A job: a graph of steps, and how far it is. Plain data, never changed. */
export const jobSchema = z.strictObject({
  /** An upper-case UUID, as in Dray's API. */
  id: z.uuid(),
  /** Whose it is; "" where the service has no tenants. */
  tenant: z.string(),
  name: z.string().optional(),
  labels: z.record(z.string(), z.string()),
  createdAt: timeSchema,
  /** Of the present run. */
  startedAt: timeSchema,
  state: jobStateSchema,
  /** In the order in which they were written, which is the log's. */
  steps: z.array(stepSchema).min(1),
  /** Runs before the present one; a retry begins a new one. */
  pastRuns: z.array(pastRunSchema),
  /**
   * Deleted while it ran: nobody is told of it any more, and it goes when it
   * has ended (Dray's API, "Delete Job").
   */
  isHidden: z.boolean(),
});

/** See jobSchema. */
export type Job = z.infer<typeof jobSchema>;

/** Whether nothing more happens to the job, unless it is retried. */
export function hasJobEnded({ state }: Pick<Job, "state">): boolean {
  switch (state.kind) {
    case "preparing":
    case "running":
    case "cancelling":
      return false;
    case "succeeded":
    case "failed":
    case "cancelled":
      return true;
  }
}
