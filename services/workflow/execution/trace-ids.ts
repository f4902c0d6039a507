import { hash } from "node:crypto";
import type { Job } from "../model/job.js";

/** What names a span (W3C Trace Context): lower-case hexadecimal. */
export interface SpanName {
  /** 32 digits; one for each run of a job. */
  readonly traceId: string;
  /** 16 digits. */
  readonly spanId: string;
}

/**
 * The span of a run of a job. Made of the job's id, so that it is the same
 * after a restart, when nothing else is known of what was traced before.
 */
export function spanOfJob(job: Pick<Job, "id" | "pastRuns">): SpanName {
  const run = `${job.id}/${job.pastRuns.length + 1}`;
  return { traceId: digits(run, 32), spanId: digits(`${run}/job`, 16) };
}

/** The span of a step in the present run of its job. */
export function spanOfStep(
  job: Pick<Job, "id" | "pastRuns">,
  step: string,
): SpanName {
  const { traceId } = spanOfJob(job);
  return { traceId, spanId: digits(`${traceId}/step/${step}`, 16) };
}

function digits(text: string, count: number): string {
  return hash("sha256", text, "hex").slice(0, count);
}
