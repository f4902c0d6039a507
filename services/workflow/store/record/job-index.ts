import { hasJobEnded, type Job, type JobState } from "../../model/job.js";
import { listPosition } from "./list-position.js";

/** What stands beside a job's record, for questions about many jobs. */
export interface JobIndex {
  readonly id: string;
  readonly tenant: string;
  readonly position: string;
  readonly state: JobState["kind"];
  readonly name: string | undefined;
  readonly isHidden: boolean;
  /** Milliseconds since 1970; undefined unless the job has ended. */
  readonly endedAt: number | undefined;
}

/** Gives what stands beside the job's record. */
export function jobIndex(job: Job): JobIndex {
  const { id, tenant, name, state, isHidden } = job;
  return {
    id,
    tenant,
    name,
    isHidden,
    position: listPosition(job),
    state: state.kind,
    endedAt: hasJobEnded(job) && "at" in state ? state.at : undefined,
  };
}
