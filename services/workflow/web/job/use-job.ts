import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { JobMessage, JobView } from "../../../../lib/job-api/index.js";
import { useApi } from "../api/api-context.js";
import { ApiError, messageOf } from "../api/api-error.js";
import { type Connection, followJob } from "../api/follow-job.js";
import { LogBuffer } from "../log/log-buffer.js";
import { useVisible } from "../parts/use-visible.js";
import { hasEnded } from "../text/states.js";

/** How often lines that came are shown: more is only work. */
const logRefreshMs = 100;

/** A job, as far as it is known here. */
export interface FollowedJob {
  /** Undefined until it was read for the first time. */
  readonly job: JobView | undefined;
  readonly connection: Connection;
  /** Why it cannot be shown; "" if it can. */
  readonly failure: string;
  /** What the service has to say of the log. */
  readonly notice: string;
  /** Filled as the log comes: what it holds changes. */
  readonly log: LogBuffer;
  /** Follows it again: it was told to do something. */
  refresh(): void;
}

/** Reads a job, and follows it and its log until it has ended. */
export function useJob(id: string): FollowedJob {
  const api = useApi();
  const isVisible = useVisible();
  const [job, setJob] = useState<JobView>();
  const [connection, setConnection] = useState<Connection>(connecting);
  const [failure, setFailure] = useState("");
  const [notice, setNotice] = useState("");
  const [round, setRound] = useState(0);
  const [, setLogVersion] = useState(0);
  const log = useRef(new LogBuffer());
  useEffect(() => {
    if (!isVisible) return;
    let known: JobView | undefined;
    let stop = () => {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    const controller = new AbortController();
    const take = (next: JobView) => {
      forgetRestarted(log.current, known, next);
      if (known !== undefined && next.run !== known.run) {
        log.current = new LogBuffer();
      }
      known = next;
      setJob(next);
      setFailure("");
    };
    const onMessage = (message: JobMessage) => {
      if (message.kind === "job") take(message.job);
      else if (message.kind === "notice") setNotice(message.text);
      else if (message.kind === "log") {
        log.current.push(message);
        timer ??= setTimeout(() => {
          timer = undefined;
          setLogVersion((version) => version + 1);
        }, logRefreshMs);
      }
    };
    const onFailure = (error: unknown) => {
      if (!controller.signal.aborted) setFailure(messageOf(error));
    };
    const follow = () => {
      const follower = { onMessage, onConnection: setConnection, onFailure };
      stop = followJob(api, id, follower);
    };
    api.job(id, controller.signal).then(
      (first) => {
        take(first);
        // Of a job that has ended the log is not read unless it is looked at.
        if (hasEnded(first.state)) setConnection({ kind: "closed" });
        else follow();
      },
      (error: unknown) => {
        if (error instanceof ApiError && error.isPassing) follow();
        else onFailure(error);
      },
    );
    return () => {
      controller.abort();
      stop();
      clearTimeout(timer);
    };
  }, [api, id, round, isVisible]);
  const refresh = useCallback(() => setRound((before) => before + 1), []);
  return { job, connection, failure, notice, log: log.current, refresh };
}

const connecting: Connection = { kind: "connecting" };

/** An attempt writes its log from the beginning. */
function forgetRestarted(
  log: LogBuffer,
  before: JobView | undefined,
  now: JobView,
): void {
  const attempts = new Map(before?.steps.map((s) => [s.name, s.attempts]));
  for (const step of now.steps) {
    const known = attempts.get(step.name) ?? step.attempts;
    if (known > 0 && step.attempts > known) log.restart(step.name);
  }
}
