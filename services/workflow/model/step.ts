import { z } from "zod";
import {
  containerSchema,
  nameSchema,
  resolvedImageSchema,
} from "./container.js";
import { reasonSchema } from "./reason.js";

/** Milliseconds since 1970. */
export const timeSchema = z.number();

/** A blob in CAS as "hash/size"; of a directory: its root Directory. */
export const digestTextSchema = z.string().regex(/^[0-9a-f]{64}\/\d+$/);

/** What a step is asked to do; never changes. */
export const stepSpecificationSchema = z.strictObject({
  name: nameSchema,
  /** Steps that must have succeeded before. */
  needs: z.array(nameSchema),
  /** Later also a group of containers: hence a union. */
  work: z.discriminatedUnion("kind", [containerSchema]),
  /** Whether a result in the action cache will do, and is kept there. */
  cache: z.boolean(),
  /** What follows when it is not known how an attempt ended. */
  retry: z.enum(["infrastructure", "never"]),
  timeoutMs: z.number().int().positive().optional(),
});

/** See stepSpecificationSchema. */
export type StepSpecification = z.infer<typeof stepSpecificationSchema>;

/** When what happened on the worker (REAPI, ExecutedActionMetadata). */
export const timesSchema = z.strictObject({
  queued: timeSchema.optional(),
  workerStart: timeSchema.optional(),
  inputFetchStart: timeSchema.optional(),
  inputFetchEnd: timeSchema.optional(),
  executionStart: timeSchema.optional(),
  executionEnd: timeSchema.optional(),
  outputUploadStart: timeSchema.optional(),
  outputUploadEnd: timeSchema.optional(),
  workerEnd: timeSchema.optional(),
});

/** What the program used; absent where the worker does not measure it. */
export const resourcesSchema = z.strictObject({
  userTimeMs: z.number(),
  systemTimeMs: z.number(),
  /** The most that one of its processes had, in bytes. */
  maximumResidentBytes: z.number(),
});

/** Something that a step left. */
export const outputSchema = z.strictObject({
  name: nameSchema,
  kind: z.enum(["file", "directory"]),
  digest: digestTextSchema,
});

/** A program's end, as the action's result tells it. */
export const stepResultSchema = z.strictObject({
  exitCode: z.number().int(),
  /** Absent where nothing was written. */
  stdout: digestTextSchema.optional(),
  stderr: digestTextSchema.optional(),
  outputs: z.array(outputSchema),
  /** Whether it came out of the action cache: nothing was run. */
  cached: z.boolean(),
  worker: z.string(),
  times: timesSchema,
  resources: resourcesSchema.optional(),
});

/** See stepResultSchema. */
export type StepResult = z.infer<typeof stepResultSchema>;

/** The state of a step in the job's present run. */
export const stepStateSchema = z.discriminatedUnion("kind", [
  /** Steps that it needs have not ended, or images are not resolved. */
  z.strictObject({ kind: z.literal("waiting") }),
  /** May begin. */
  z.strictObject({
    kind: z.literal("ready"),
    since: timeSchema,
    /** Why it is ready again. */
    after: reasonSchema.optional(),
  }),
  /** An attempt was begun; the engine may have it queued. */
  z.strictObject({
    kind: z.literal("running"),
    since: timeSchema,
    /** The engine's name for it (REAPI, Operation), once it is told. */
    operation: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("succeeded"),
    at: timeSchema,
    result: stepResultSchema,
  }),
  /** With a result if the program ended, or was stopped at its timeout. */
  z.strictObject({
    kind: z.literal("failed"),
    at: timeSchema,
    reason: reasonSchema,
    result: stepResultSchema.optional(),
  }),
  /** On request; with what was written until then, where that is known. */
  z.strictObject({
    kind: z.literal("cancelled"),
    at: timeSchema,
    result: stepResultSchema.optional(),
  }),
  /** A step that it needs did not succeed. */
  z.strictObject({ kind: z.literal("skipped"), at: timeSchema }),
  /** It was begun, must not be begun again, and how it ended is unknown. */
  z.strictObject({
    kind: z.literal("lost"),
    at: timeSchema,
    reason: reasonSchema,
  }),
]);

/** See stepStateSchema. */
export type StepState = z.infer<typeof stepStateSchema>;

/** A step of a job: what is asked for, and how far it is. */
export const stepSchema = z.strictObject({
  specification: stepSpecificationSchema,
  /** Absent until the reference is resolved. */
  image: resolvedImageSchema.optional(),
  /** How often an attempt was begun, in the present run. */
  attempts: z.number().int().nonnegative(),
  /** When the last of them began, in the present run. */
  startedAt: timeSchema.optional(),
  state: stepStateSchema,
});

/** See stepSchema. */
export type Step = z.infer<typeof stepSchema>;

/** Whether nothing more happens to a step in this run. */
export function hasEnded({ state }: Pick<Step, "state">): boolean {
  switch (state.kind) {
    case "waiting":
    case "ready":
    case "running":
      return false;
    case "succeeded":
    case "failed":
    case "cancelled":
    case "skipped":
    case "lost":
      return true;
  }
}
