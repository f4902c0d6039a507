import type { JSX } from "preact";
import type { JobView, StepView } from "../../../../lib/job-api/index.js";
import { CacheMark } from "../parts/cache-mark.js";
import { useNow } from "../parts/use-now.js";
import { formatDuration } from "../text/duration.js";
import { hasEnded } from "../text/states.js";
import {
  type Phase,
  type PhaseKind,
  type StepTiming,
  stepTiming,
} from "../text/step-timing.js";

const phaseLabels: Readonly<Record<PhaseKind, string>> = {
  queue: "Queue",
  inputs: "Inputs",
  run: "Run",
  outputs: "Outputs",
};

const kinds: readonly PhaseKind[] = ["queue", "inputs", "run", "outputs"];

/** A stretch of time that bars are drawn in. */
interface Axis {
  readonly from: number;
  readonly to: number;
}

/** Where the time of each step went, as bars and in numbers. */
export function TimingTable({ job }: { job: JobView }): JSX.Element {
  const now = useNow(hasEnded(job.state) ? 0 : 1_000);
  const runStartedAt = job.startedAt;
  const timings = job.steps.map((step) => ({
    step,
    timing: stepTiming(step, { runStartedAt, now }),
  }));
  const end = job.endedAt === undefined ? now : Date.parse(job.endedAt);
  const axis = axisOf(
    { from: Date.parse(runStartedAt), to: end },
    timings.map(({ timing }) => timing),
  );
  return (
    <section class="sheet" aria-labelledby="timing-heading">
      <h2 id="timing-heading">Timing</h2>
      <table class="timing">
        <caption class="unseen">
          How long each step waited in the queue, fetched its inputs, ran and
          uploaded its outputs
        </caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="cell-bar">
              From start to {formatDuration(axis.to - axis.from)}
            </th>
            {kinds.map((kind) => (
              <th key={kind} scope="col" class="number">
                <span class={`swatch phase-${kind}`} />
                {phaseLabels[kind]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {timings.map(({ step, timing }) => (
            <Row key={step.name} step={step} timing={timing} axis={axis} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Of the run, and of what a worker's clock says lies around it. */
function axisOf(run: Axis, timings: readonly StepTiming[]): Axis {
  return timings
    .flatMap((timing) => (timing.kind === "phases" ? timing.phases : []))
    .reduce(
      (axis, { from, to }) => ({
        from: Math.min(axis.from, from),
        to: Math.max(axis.to, to),
      }),
      { from: run.from, to: Math.max(run.to, run.from + 1) },
    );
}

function Row({
  step,
  timing,
  axis,
}: {
  step: StepView;
  timing: StepTiming;
  axis: Axis;
}): JSX.Element {
  const phases = "phases" in timing ? timing.phases : [];
  return (
    <tr>
      <th scope="row" class="break">
        {step.name}
      </th>
      <td class="cell-bar">
        {timing.kind === "phases" && <Bar phases={phases} axis={axis} />}
        {timing.kind === "earlier" && (
          <span class="quiet">ran in an earlier run</span>
        )}
        {timing.kind === "cached" && <CacheMark text="from cache, not run" />}
      </td>
      {kinds.map((kind) => {
        const phase = phases.find((each) => each.kind === kind);
        return (
          <td
            key={kind}
            class={phase === undefined ? "number none" : "number"}
            data-label={phaseLabels[kind]}
          >
            {phase === undefined ? "–" : formatDuration(phase.to - phase.from)}
          </td>
        );
      })}
    </tr>
  );
}

function Bar({
  phases,
  axis,
}: {
  phases: readonly Phase[];
  axis: Axis;
}): JSX.Element {
  const scale = 1_000 / (axis.to - axis.from);
  return (
    <svg
      class="bar"
      viewBox="0 0 1000 12"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <rect class="track" width="1000" height="12" />
      {phases.map(({ kind, from, to }) => {
        // What was too short to be seen was there nevertheless.
        const width = Math.max((to - from) * scale, 3);
        const x = Math.min((from - axis.from) * scale, 1_000 - width);
        return (
          <rect
            key={kind}
            class={`phase-${kind}`}
            x={x}
            width={width}
            height="12"
          />
        );
      })}
    </svg>
  );
}
