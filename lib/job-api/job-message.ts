import { z } from "zod";
import { jobViewSchema } from "./job-view.js";

/**
 * What the stream of a job's events says (GET /v1/jobs/{id}/events, as
 * server-sent events; `kind` is the event's type too). The ids of events say
 * how much of the log was sent: who comes again with the last one as
 * Last-Event-ID misses none of it, and gets none twice.
 */
export const jobMessageSchema = z.discriminatedUnion("kind", [
  /** The job as it is now; first of all, and whenever it changed. */
  z.object({ kind: z.literal("job"), job: jobViewSchema }),
  /** Bytes that a step wrote, where logs were asked for. */
  z.object({
    kind: z.literal("log"),
    step: z.string(),
    stream: z.enum(["stdout", "stderr"]),
    /** Of the first byte, in the stream of the step. */
    offset: z.number(),
    /** UTF-8 where the bytes are, and U+FFFD where they are not. */
    text: z.string(),
    /** How many bytes the text was. */
    bytes: z.number(),
  }),
  /** Something to tell the reader, such as that no live log is to be had. */
  z.object({ kind: z.literal("notice"), text: z.string() }),
  /** Nothing follows: the job has ended, and its log was sent. */
  z.object({ kind: z.literal("end") }),
]);

/** See jobMessageSchema. */
export type JobMessage = z.infer<typeof jobMessageSchema>;
