import { useEffect, useState } from "preact/hooks";
import type { StepView } from "../../../../lib/job-api/index.js";
import { useApi } from "../api/api-context.js";
import { messageOf } from "../api/api-error.js";
import { type LogTail, readLogTail } from "./log-tail.js";

/** The end of a step's log, as far as it is there. */
export interface LogTailState {
  readonly tail: LogTail | undefined;
  /** Why it could not be read; "" if it could. */
  readonly error: string;
}

const nothing: LogTailState = { tail: undefined, error: "" };

/** Reads the end of a step's log; undefined reads nothing. */
export function useLogTail(step: StepView | undefined): LogTailState {
  const api = useApi();
  const [state, setState] = useState(nothing);
  useEffect(() => {
    setState(nothing);
    if (step === undefined) return;
    const controller = new AbortController();
    readLogTail(api, step, controller.signal).then(
      (tail) => setState({ tail, error: "" }),
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setState({ tail: undefined, error: messageOf(error) });
      },
    );
    return () => controller.abort();
    // A step that has ended changes no more, unless it is tried again.
  }, [api, step?.name, step?.attempts, step?.endedAt]);
  return state;
}
