import type { JSX } from "preact";
import { formatAgo } from "../text/duration.js";
import { useNow } from "./use-now.js";

/** A point in time as "3 min ago", with the whole of it at hand. */
export function Moment({ time }: { time: string }): JSX.Element {
  const now = useNow(10_000);
  const date = new Date(time);
  return (
    <time dateTime={time} title={date.toLocaleString()}>
      {formatAgo(now - date.getTime())}
    </time>
  );
}
