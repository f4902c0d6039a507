import type { JSX } from "preact";
import { useRef } from "preact/hooks";

/** A button for what cannot be taken back: it asks before. */
export function ConfirmButton({
  label,
  question,
  explanation,
  isDisabled,
  onConfirm,
}: {
  label: string;
  question: string;
  explanation: string;
  isDisabled: boolean;
  onConfirm: () => void;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const close = () => dialog.current?.close();
  return (
    <>
      <button
        type="button"
        class="button button-danger"
        disabled={isDisabled}
        onClick={() => dialog.current?.showModal()}
      >
        {label}…
      </button>
      <dialog ref={dialog} class="dialog" aria-label={question}>
        <h2>{question}</h2>
        <p>{explanation}</p>
        <div class="actions">
          <button type="button" class="button" onClick={close}>
            No, leave it
          </button>
          <button
            type="button"
            class="button button-danger"
            onClick={() => {
              close();
              onConfirm();
            }}
          >
            {label}
          </button>
        </div>
      </dialog>
    </>
  );
}
