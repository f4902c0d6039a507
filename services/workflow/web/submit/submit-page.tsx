import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { useApi } from "../api/api-context.js";
import { messageOf } from "../api/api-error.js";
import { randomKey } from "../api/random-key.js";
import { PageTitle } from "../parts/page-title.js";
import { useAction } from "../parts/use-action.js";
import { hrefOf } from "../route.js";
import { examples } from "./examples.js";
import { SubmissionField } from "./submission-field.js";
import { tidySubmission } from "./tidy-submission.js";

/** Writes and submits a job. */
export function SubmitPage({
  from,
}: {
  /** Job to begin with. */
  from: string | undefined;
}): JSX.Element {
  const api = useApi();
  const { isBusy, error, run } = useAction();
  const [text, setText] = useState(
    from === undefined ? (examples[0]?.text ?? "") : "",
  );
  /** One text makes one job, however often the button is pressed. */
  const key = useRef({ text: "", key: "" });
  const loadError = useSubmissionOf(from, setText);
  const submit = () =>
    run(async () => {
      if (key.current.text !== text) key.current = { text, key: randomKey() };
      const job = await api.submit(text, key.current.key);
      location.hash = hrefOf({ kind: "job", id: job.id, step: undefined });
    });
  return (
    <form
      class="sheet"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <PageTitle title={from === undefined ? "New job" : "Run again"} />
      {from === undefined ? (
        <ExampleChoice onChoice={setText} />
      ) : (
        <p>
          This is what the job was submitted as. Change what you like; a new job
          comes of it.
        </p>
      )}
      <SubmissionField
        text={text}
        error={error || loadError}
        onText={setText}
        onSubmit={submit}
      />
      <div class="actions">
        <button
          type="submit"
          class="button button-main"
          disabled={isBusy || text.trim() === ""}
        >
          {isBusy ? "Submitting…" : "Submit job"}
        </button>
        <a class="button" href={hrefOf({ kind: "jobs", state: "", name: "" })}>
          Leave
        </a>
      </div>
    </form>
  );
}

/** Fills in what another job was submitted as; gives why it cannot. */
function useSubmissionOf(
  from: string | undefined,
  setText: (text: string) => void,
): string {
  const api = useApi();
  const [error, setError] = useState("");
  useEffect(() => {
    if (from === undefined) return;
    const controller = new AbortController();
    api.submission(from, controller.signal).then(
      (submission) =>
        setText(`${JSON.stringify(tidySubmission(submission), null, 2)}\n`),
      (thrown: unknown) => {
        if (!controller.signal.aborted) setError(messageOf(thrown));
      },
    );
    return () => controller.abort();
  }, [api, from, setText]);
  return error;
}

function ExampleChoice({
  onChoice,
}: {
  onChoice: (text: string) => void;
}): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label class="field-label" htmlFor={id}>
        Begin with an example
      </label>
      <select
        id={id}
        onChange={(event) => {
          const example = examples[event.currentTarget.selectedIndex];
          if (example !== undefined) onChoice(example.text);
        }}
      >
        {examples.map(({ title }) => (
          <option key={title}>{title}</option>
        ))}
      </select>
    </div>
  );
}
