import type { JSX } from "preact";
import type { JobView, StepView } from "../../../../lib/job-api/index.js";
import { DownloadLink } from "../parts/download-link.js";
import { Notice } from "../parts/notice.js";
import { hrefOf } from "../route.js";
import { formatBytes } from "../text/bytes.js";
import { hasEnded, hasStepEnded } from "../text/states.js";
import type { LogBuffer } from "./log-buffer.js";
import { LogView } from "./log-view.js";
import { useLogTail } from "./use-log-tail.js";

/** What a job, or one of its steps, has written and writes. */
export function LogPanel({
  job,
  step,
  log,
  notice,
}: {
  job: JobView;
  /** Undefined: all of them. */
  step: StepView | undefined;
  /** What came while the job was followed. */
  log: LogBuffer;
  notice: string;
}): JSX.Element {
  const isRead =
    step !== undefined && hasStepEnded(step.state) && !log.has(step.name);
  const { tail, error } = useLogTail(isRead ? step : undefined);
  const shown = isRead ? tail?.buffer : log;
  const isLive =
    !hasEnded(job.state) && (step === undefined || !hasStepEnded(step.state));
  return (
    <section class="sheet" aria-labelledby="log-heading">
      <div class="log-head">
        <h2 id="log-heading">Log</h2>
        <StepChoice job={job} step={step} />
        {step !== undefined && <WholeLog step={step} />}
      </div>
      {notice !== "" && isLive && <Notice kind="plain">{notice}.</Notice>}
      {error !== "" && (
        <Notice kind="error">The log cannot be read: {error}.</Notice>
      )}
      {isRead && tail !== undefined && tail.isCut.length > 0 && (
        <p class="quiet">Only the end of what was written is shown.</p>
      )}
      {shown !== undefined && (
        <LogView
          // Another log begins at its own end.
          key={`${step?.name} ${isRead} ${job.run}`}
          log={shown}
          step={step?.name}
          isLive={isLive}
          silence={silenceOf(job, step)}
        />
      )}
      {isRead && tail === undefined && error === "" && (
        <p class="quiet">Loading log…</p>
      )}
    </section>
  );
}

/** Why there is nothing to be seen. */
function silenceOf(job: JobView, step: StepView | undefined): string {
  if (step === undefined) {
    return hasEnded(job.state)
      ? "Nothing was written while this page was open."
      : "Nothing was written yet.";
  }
  switch (step.state) {
    case "waiting":
    case "ready":
    case "queued":
      return "The step has not begun.";
    case "skipped":
      return "The step was not begun.";
    case "running":
      return step.log.isLive
        ? "Nothing was written yet."
        : "This engine hands the log over when the step has ended.";
    case "succeeded":
    case "failed":
    case "cancelled":
    case "lost":
      return "Nothing was written.";
  }
}

function StepChoice({
  job,
  step,
}: {
  job: JobView;
  step: StepView | undefined;
}): JSX.Element {
  const show = (name: string) => {
    const next = name === "" ? undefined : name;
    location.hash = hrefOf({ kind: "job", id: job.id, step: next });
  };
  return (
    <label class="field field-inline">
      <span class="field-label">
        <span class="unseen">Show the log </span>of
      </span>
      <select
        value={step?.name ?? ""}
        onChange={(event) => show(event.currentTarget.value)}
      >
        {!hasEnded(job.state) && <option value="">all steps</option>}
        {job.steps.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The whole of both streams, to be saved. */
function WholeLog({ step }: { step: StepView }): JSX.Element {
  const streams = (["stdout", "stderr"] as const).filter(
    (stream) => (step.log[stream].sizeBytes ?? 0) > 0,
  );
  return (
    <span class="whole-log">
      {streams.map((stream) => (
        <span key={stream}>
          <DownloadLink
            url={step.log[stream].url}
            fileName={`${step.name}.${stream}.txt`}
            label={`Whole ${stream}`}
          />{" "}
          <span class="quiet">
            {formatBytes(step.log[stream].sizeBytes ?? 0)}
          </span>
        </span>
      ))}
    </span>
  );
}
