import type { JSX } from "preact";
import type { JobView } from "../../../../lib/job-api/index.js";
import { StateIcon } from "../parts/state-mark.js";
import { hrefOf } from "../route.js";
import { explainReason } from "../text/explain-reason.js";

/** Why a job failed, in plain words; nothing for one that did not. */
export function JobFailure({ job }: { job: JobView }): JSX.Element | null {
  const steps = job.steps.filter(
    ({ state }) => state === "failed" || state === "lost",
  );
  if (job.state !== "failed") return null;
  const skipped = job.steps.filter(({ state }) => state === "skipped").length;
  return (
    <section class="notice notice-failure" aria-label="Why the job failed">
      <StateIcon state="failed" />
      <div>
        {steps.map(({ name, reason, exitCode }) => (
          <p key={name}>
            <a href={hrefOf({ kind: "job", id: job.id, step: name })}>
              Step {name}
            </a>{" "}
            failed. {reason && explainReason(reason, exitCode).join(" ")}
          </p>
        ))}
        {steps.length === 0 && job.reason && (
          <p>{explainReason(job.reason).join(" ")}</p>
        )}
        {skipped > 0 && (
          <p class="quiet">
            {skipped === 1 ? "1 step was" : `${skipped} steps were`} not begun
            because of that.
          </p>
        )}
      </div>
    </section>
  );
}
