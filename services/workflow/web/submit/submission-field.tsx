import type { JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { splitMistakes } from "./split-mistakes.js";

/** Where a job is written, with what the service says of it. */
export function SubmissionField({
  text,
  error,
  onText,
  onSubmit,
}: {
  text: string;
  /** The service's; "" if there is none. */
  error: string;
  onText: (text: string) => void;
  onSubmit: () => void;
}): JSX.Element {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (error !== "") area.current?.focus();
  }, [error]);
  const mistakes = error === "" ? [] : splitMistakes(error);
  const described =
    mistakes.length === 0 ? `${id}-hint` : `${id}-error ${id}-hint`;
  return (
    <div class="field">
      <label class="field-label" htmlFor={`${id}-text`}>
        Job
      </label>
      <p id={`${id}-hint`} class="hint">
        YAML or JSON. <kbd>Ctrl</kbd>+<kbd>Enter</kbd> submits it.
      </p>
      <textarea
        ref={area}
        id={`${id}-text`}
        class="code"
        rows={24}
        spellcheck={false}
        autocapitalize="off"
        aria-invalid={mistakes.length > 0}
        aria-describedby={described}
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey))
            return;
          event.preventDefault();
          onSubmit();
        }}
      />
      {mistakes.length > 0 && (
        <div id={`${id}-error`} class="field-error" role="alert">
          <p>The job was not submitted:</p>
          <ul>
            {mistakes.map(({ place, text: what }) => (
              <li key={place + what}>
                {place !== "" && <code>{place}</code>} {what}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
