import type { JSX } from "preact";
import type { JobView } from "../../../../lib/job-api/index.js";
import { useApi } from "../api/api-context.js";
import { ConfirmButton } from "../parts/confirm-button.js";
import { useAction } from "../parts/use-action.js";
import { hrefOf } from "../route.js";
import { hasEnded } from "../text/states.js";

/** What can be done with a job in its state. */
export function JobActions({
  job,
  title,
  onChange,
}: {
  job: JobView;
  title: string;
  onChange: () => void;
}): JSX.Element {
  const api = useApi();
  const { isBusy, error, run } = useAction();
  const { id, state } = job;
  const isOver = hasEnded(state);
  const change = (action: (id: string) => Promise<void>) =>
    run(async () => {
      await action(id);
      onChange();
    });
  const remove = () =>
    run(async () => {
      await api.remove(id);
      location.hash = hrefOf({ kind: "jobs", state: "", name: "" });
    });
  return (
    <div class="job-actions">
      {!isOver && (
        <ConfirmButton
          label="Cancel job"
          question={`Cancel ${title}?`}
          explanation="Steps under way are stopped, and none begins any more. What has succeeded stays, and the job can be retried from there."
          isDisabled={isBusy || state === "cancelling"}
          onConfirm={() => change(api.cancel)}
        />
      )}
      {(state === "failed" || state === "cancelled") && (
        <button
          type="button"
          class="button button-main"
          disabled={isBusy}
          onClick={() => change(api.retry)}
        >
          {state === "failed" ? "Retry from failed step" : "Retry what is left"}
        </button>
      )}
      {isOver && (
        <a class="button" href={hrefOf({ kind: "submit", from: id })}>
          Run again
        </a>
      )}
      {isOver && (
        <ConfirmButton
          label="Delete"
          question={`Delete ${title}?`}
          explanation="The job is gone then, with its history and the way to its logs and outputs."
          isDisabled={isBusy}
          onConfirm={remove}
        />
      )}
      {error !== "" && (
        <p class="field-error" role="alert">
          {error}.
        </p>
      )}
    </div>
  );
}
