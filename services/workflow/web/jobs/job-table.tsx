import type { JSX } from "preact";
import type { JobSummary } from "../../../../lib/job-api/index.js";
import { CacheMark } from "../parts/cache-mark.js";
import { Elapsed } from "../parts/elapsed.js";
import { Moment } from "../parts/moment.js";
import { StateMark } from "../parts/state-mark.js";
import { hrefOf } from "../route.js";

/** Jobs, one a row. */
export function JobTable({
  jobs,
  isStale,
}: {
  jobs: readonly JobSummary[];
  /** Whether this is how it was, and not how it is. */
  isStale: boolean;
}): JSX.Element {
  return (
    <table class={isStale ? "jobs stale" : "jobs"}>
      <caption class="unseen">Jobs, the newest first</caption>
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Job</th>
          <th scope="col">Steps</th>
          <th scope="col">Submitted</th>
          <th scope="col">Duration</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <Row key={job.id} job={job} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ job }: { job: JobSummary }): JSX.Element {
  const { id, name, labels, state, stepsTotal, stepsSucceeded } = job;
  return (
    <tr>
      <td class="cell-state">
        <StateMark state={state} />
      </td>
      <td class="cell-job">
        <a class="row-link" href={hrefOf({ kind: "job", id, step: undefined })}>
          {name ?? `Job ${id.slice(0, 8)}`}
        </a>
        <span class="row-details">
          {name !== undefined && <span class="id">{id.slice(0, 8)}</span>}
          {job.run > 1 && <span>run {job.run}</span>}
          {Object.entries(labels).map(([key, value]) => (
            <span key={key} class="label">
              {key}: {value}
            </span>
          ))}
        </span>
      </td>
      <td class="cell-steps">
        <Progress done={stepsSucceeded} total={stepsTotal} state={state} />
        {job.stepsCached > 0 && (
          <CacheMark text={`${job.stepsCached} from cache`} />
        )}
      </td>
      <td class="cell-when">
        <Moment time={job.createdAt} />
      </td>
      <td class="cell-duration">
        <Elapsed from={job.startedAt} to={job.endedAt} />
      </td>
    </tr>
  );
}

function Progress({
  done,
  total,
  state,
}: {
  done: number;
  total: number;
  state: JobSummary["state"];
}): JSX.Element {
  return (
    <span class={`progress state-${state}`}>
      <svg
        class="progress-bar"
        viewBox="0 0 100 6"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <rect class="track" width="100" height="6" />
        <rect class="fill" width={(100 * done) / total} height="6" />
      </svg>
      <span class="number">
        {done} of {total}
      </span>
    </span>
  );
}
