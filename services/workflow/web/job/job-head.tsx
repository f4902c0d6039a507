import type { JSX } from "preact";
import type { JobView } from "../../../../lib/job-api/index.js";
import { CacheMark } from "../parts/cache-mark.js";
import { Elapsed } from "../parts/elapsed.js";
import { Moment } from "../parts/moment.js";
import { PageTitle } from "../parts/page-title.js";
import { StateMark } from "../parts/state-mark.js";
import { JobActions } from "./job-actions.js";
import { PastRuns } from "./past-runs.js";

/** What a job is, how far it is, and what can be done with it. */
export function JobHead({
  job,
  onChange,
}: {
  job: JobView;
  onChange: () => void;
}): JSX.Element {
  const title = job.name ?? `Job ${job.id.slice(0, 8)}`;
  return (
    <>
      <div class="title-row">
        <PageTitle title={title} />
        <StateMark state={job.state} />
        <JobActions job={job} title={title} onChange={onChange} />
      </div>
      <dl class="facts">
        <Fact term="Steps">
          {job.stepsSucceeded} of {job.stepsTotal} succeeded{" "}
          {job.stepsCached > 0 && (
            <CacheMark text={`${job.stepsCached} from cache`} />
          )}
        </Fact>
        <Fact term="Duration">
          <Elapsed from={job.startedAt} to={job.endedAt} />
        </Fact>
        <Fact term="Submitted">
          <Moment time={job.createdAt} />
        </Fact>
        {job.run > 1 && (
          <Fact term="Run">
            {job.run}, begun <Moment time={job.startedAt} />
          </Fact>
        )}
        {Object.keys(job.labels).length > 0 && (
          <Fact term="Labels">
            {Object.entries(job.labels).map(([key, value]) => (
              <span key={key} class="label">
                {key}: {value}
              </span>
            ))}
          </Fact>
        )}
        <Fact term="ID">
          <code class="id">{job.id}</code>
        </Fact>
      </dl>
      <PastRuns job={job} />
    </>
  );
}

function Fact({
  term,
  children,
}: {
  term: string;
  children: preact.ComponentChildren;
}): JSX.Element {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}
