import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { JobView } from "../../../../lib/job-api/index.js";
import { StepGraph } from "../graph/step-graph.js";
import { LogPanel } from "../log/log-panel.js";
import { useAnnounce } from "../parts/announcer.js";
import { Notice } from "../parts/notice.js";
import { PageTitle } from "../parts/page-title.js";
import { hrefOf } from "../route.js";
import { hasEnded, stateLabel } from "../text/states.js";
import { ConnectionNotice } from "./connection-notice.js";
import { JobFailure } from "./job-failure.js";
import { JobHead } from "./job-head.js";
import { StepDetails } from "./step-details.js";
import { TimingTable } from "./timing-table.js";
import { type FollowedJob, useJob } from "./use-job.js";

const jobsHref = hrefOf({ kind: "jobs", state: "", name: "" });

/** A job: how far it is, its steps, their logs and outputs. */
export function JobPage({
  id,
  chosen,
}: {
  id: string;
  /** The step that is looked at. */
  chosen: string | undefined;
}): JSX.Element {
  const followed = useJob(id);
  const { job, failure, connection } = followed;
  useStateChanges(job);
  return (
    <>
      <nav aria-label="Breadcrumb" class="breadcrumb">
        <a href={jobsHref}>Jobs</a>
      </nav>
      {failure !== "" && job === undefined ? (
        <>
          <PageTitle title="No such job to show" />
          <Notice kind="error">{failure}.</Notice>
          <p>
            <a href={jobsHref}>Show all jobs</a>
          </p>
        </>
      ) : (
        <>
          <ConnectionNotice connection={connection} failure={failure} />
          {job === undefined ? (
            <PageTitle title="Loading job…" />
          ) : (
            <Job job={job} followed={followed} chosen={chosen} />
          )}
        </>
      )}
    </>
  );
}

function Job({
  job,
  followed,
  chosen,
}: {
  job: JobView;
  followed: FollowedJob;
  chosen: string | undefined;
}): JSX.Element {
  const found = job.steps.find(({ name }) => name === chosen);
  const shown = found ?? (hasEnded(job.state) ? tellingStep(job) : undefined);
  const { log, notice, refresh } = followed;
  // Lines of the log come often; what does not change by them is left alone.
  const above = useMemo(
    () => (
      <>
        <JobHead job={job} onChange={refresh} />
        <JobFailure job={job} />
        <section class="sheet" aria-labelledby="steps-heading">
          <h2 id="steps-heading">Steps</h2>
          <StepGraph job={job} chosen={shown?.name} />
          {shown !== undefined && <StepDetails job={job} step={shown} />}
        </section>
      </>
    ),
    [job, shown, refresh],
  );
  const beneath = useMemo(() => <TimingTable job={job} />, [job]);
  return (
    <>
      {above}
      <LogPanel job={job} step={shown} log={log} notice={notice} />
      {beneath}
    </>
  );
}

/** Of a job that has ended: the step that says most of how it did. */
function tellingStep({ steps }: JobView): JobView["steps"][number] | undefined {
  return (
    steps.find(({ state }) => state === "failed" || state === "lost") ??
    steps.findLast(({ state }) => state === "succeeded") ??
    steps[0]
  );
}

/** Says how the job and its steps go on. */
function useStateChanges(job: JobView | undefined): void {
  const announce = useAnnounce();
  const known = useRef<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    if (job === undefined) return;
    const states = new Map([
      ["Job", stateLabel(job.state)],
      ...job.steps.map(
        ({ name, state }) => [`Step ${name}`, stateLabel(state)] as const,
      ),
    ]);
    const changes = [...states]
      .filter(([what, state]) => (known.current.get(what) ?? state) !== state)
      .map(([what, state]) => `${what}: ${state}`);
    known.current = states;
    // The first is the job's own; of very many steps nobody wants to hear.
    if (changes.length > 0) announce(changes.slice(0, 5).join(". "));
  }, [job, announce]);
}
