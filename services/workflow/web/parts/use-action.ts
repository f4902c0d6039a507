import { useState } from "preact/hooks";
import { messageOf } from "../api/api-error.js";

/** Something that a user can start, and that may fail. */
export interface Action {
  readonly isBusy: boolean;
  /** Why it failed last; "" if it did not. */
  readonly error: string;
  run(action: () => Promise<void>): void;
}

/** Runs what users start, one at a time, and keeps what went wrong. */
export function useAction(): Action {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState("");
  return {
    isBusy,
    error,
    run(action) {
      if (isBusy) return;
      setBusy(true);
      setError("");
      action()
        .catch((thrown: unknown) => setError(messageOf(thrown)))
        .finally(() => setBusy(false));
    },
  };
}
