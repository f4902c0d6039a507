import { useEffect, useState } from "preact/hooks";
import type { JobList } from "../../../../lib/job-api/index.js";
import type { ListQuery } from "../api/api.js";
import { useApi } from "../api/api-context.js";
import { ApiError, messageOf } from "../api/api-error.js";
import { hasEnded } from "../text/states.js";

const busyRefreshMs = 1_500;
const quietRefreshMs = 5_000;

/** A page of the list of jobs, and what is wrong with the connection to it. */
export interface JobListState {
  /** Undefined until it was read for the first time. */
  readonly list: JobList | undefined;
  /** "" while all is well. */
  readonly error: string;
  /** Whether it is tried again. */
  readonly isPassing: boolean;
}

/** Reads a page of the list again and again, while the window is seen. */
export function useJobList(query: ListQuery): JobListState {
  const api = useApi();
  const [state, setState] = useState<JobListState>(nothing);
  const key = JSON.stringify(query);
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      let delay = quietRefreshMs;
      try {
        const list = await api.list(query, controller.signal);
        const isQuiet = list.jobs.every((job) => hasEnded(job.state));
        delay = isQuiet ? quietRefreshMs : busyRefreshMs;
        setState({ list, error: "", isPassing: false });
      } catch (error) {
        if (controller.signal.aborted) return;
        const isPassing = error instanceof ApiError && error.isPassing;
        setState(({ list }) => ({ list, error: messageOf(error), isPassing }));
        if (!isPassing) return;
      }
      clearTimeout(timer);
      timer = setTimeout(start, delay);
    };
    const start = () => void read();
    start();
    document.addEventListener("visibilitychange", start);
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", start);
    };
  }, [api, key]);
  return state;
}

const nothing: JobListState = { list: undefined, error: "", isPassing: false };
