import type { ComponentChildren, JSX } from "preact";
import type { JobView, StepView } from "../../../../lib/job-api/index.js";
import { CacheMark } from "../parts/cache-mark.js";
import { Elapsed } from "../parts/elapsed.js";
import { StateMark } from "../parts/state-mark.js";
import { hrefOf } from "../route.js";
import { formatBytes } from "../text/bytes.js";
import { formatDuration } from "../text/duration.js";
import { explainReason } from "../text/explain-reason.js";
import { StepOutputs } from "./step-outputs.js";

/** All that is known of a step but its log. */
export function StepDetails({
  job,
  step,
}: {
  job: JobView;
  step: StepView;
}): JSX.Element {
  const { name, state, reason, exitCode } = step;
  return (
    <section class="step-details" aria-labelledby="step-heading">
      <h3 id="step-heading">
        <span class="break">{name}</span> <StateMark state={state} />
        {step.cached && <CacheMark text="from cache" />}
      </h3>
      {reason !== undefined && (
        <p class="reason">{explainReason(reason, exitCode).join(" ")}</p>
      )}
      <dl class="facts">
        {facts(job, step).map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {step.outputs.length > 0 && <StepOutputs step={step} />}
    </section>
  );
}

function facts(
  job: JobView,
  step: StepView,
): readonly (readonly [string, ComponentChildren])[] {
  const { image, resources, startedAt, endedAt } = step;
  const all: [string, ComponentChildren][] = [
    ["Image", <Image image={image} />],
  ];
  if (step.needs.length > 0) {
    all.push(["After", <Needs job={job} needs={step.needs} />]);
  }
  if (startedAt !== undefined) {
    all.push(["Duration", <Elapsed from={startedAt} to={endedAt} />]);
  }
  all.push(["Attempts", attemptsOf(step)]);
  if (step.exitCode !== undefined) all.push(["Exit code", step.exitCode]);
  if (resources !== undefined) {
    const { userTimeMs, systemTimeMs, maximumResidentBytes } = resources;
    all.push([
      "Processor time",
      `${formatDuration(userTimeMs + systemTimeMs)}, ${formatDuration(systemTimeMs)} of it in the kernel`,
    ]);
    all.push(["Memory at most", formatBytes(maximumResidentBytes)]);
  }
  if (step.worker !== undefined && step.worker !== "") {
    all.push(["Worker", <span class="break">{step.worker}</span>]);
  }
  all.push(["Cache", step.cache ? "may be used" : "not used"]);
  return all;
}

function attemptsOf({ attempts, retry }: StepView): string {
  const never = retry === "never" ? ", never begun again by itself" : "";
  return `${attempts}${never}`;
}

function Image({ image }: { image: StepView["image"] }): JSX.Element {
  const { reference, resolved } = image;
  return (
    <>
      <code class="break">{reference}</code>
      {resolved !== undefined && resolved !== reference && (
        <details>
          <summary>as resolved</summary>
          <code class="break">{resolved}</code>
        </details>
      )}
    </>
  );
}

function Needs({
  job,
  needs,
}: {
  job: JobView;
  needs: readonly string[];
}): JSX.Element {
  return (
    <ul class="inline-list">
      {needs.map((need) => (
        <li key={need}>
          <a href={hrefOf({ kind: "job", id: job.id, step: need })}>{need}</a>
        </li>
      ))}
    </ul>
  );
}
