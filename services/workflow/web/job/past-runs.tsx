import type { JSX } from "preact";
import type { JobView } from "../../../../lib/job-api/index.js";
import { Elapsed } from "../parts/elapsed.js";
import { Moment } from "../parts/moment.js";
import { StateMark } from "../parts/state-mark.js";
import { explainReason } from "../text/explain-reason.js";

/** How runs of a job ended that it was retried after. */
export function PastRuns({ job }: { job: JobView }): JSX.Element | null {
  const { pastRuns = [] } = job;
  if (pastRuns.length === 0) return null;
  return (
    <details class="past-runs">
      <summary>Earlier runs</summary>
      <ol>
        {pastRuns.map(({ state, reason, startedAt, endedAt }) => (
          <li key={startedAt}>
            <StateMark state={state} /> <Moment time={startedAt} />
            {endedAt !== undefined && (
              <>
                , after <Elapsed from={startedAt} to={endedAt} />
              </>
            )}
            {reason !== undefined && (
              <p class="quiet">{explainReason(reason).join(" ")}</p>
            )}
          </li>
        ))}
      </ol>
    </details>
  );
}
