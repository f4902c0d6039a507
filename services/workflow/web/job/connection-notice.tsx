import type { JSX } from "preact";
import type { Connection } from "../api/follow-job.js";
import { Notice } from "../parts/notice.js";
import { useNow } from "../parts/use-now.js";

/** Says when what is shown may be out of date. */
export function ConnectionNotice({
  connection,
  failure,
}: {
  connection: Connection;
  /** Why it is not followed any more; "" if it is. */
  failure: string;
}): JSX.Element | null {
  if (failure !== "") {
    return <Notice kind="error">This is how it was before: {failure}.</Notice>;
  }
  if (connection.kind !== "waiting") return null;
  return (
    <>
      <Notice kind="warning">
        The connection to the service is lost. What you see may have changed.
      </Notice>
      <Countdown until={connection.until} />
    </>
  );
}

/** Beside the notice, not in it: nobody wants to hear each second. */
function Countdown({ until }: { until: number }): JSX.Element {
  const left = Math.ceil((until - useNow(500)) / 1_000);
  return (
    <p class="quiet countdown">
      {left > 0 ? `It is tried again in ${left} s.` : "It is tried again now."}
    </p>
  );
}
