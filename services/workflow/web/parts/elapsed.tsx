import type { JSX } from "preact";
import { formatDuration, formatSeconds } from "../text/duration.js";
import { useNow } from "./use-now.js";

/** How long something took, or takes until now. */
export function Elapsed({
  from,
  to,
}: {
  from: string;
  to: string | undefined;
}): JSX.Element {
  const now = useNow(to === undefined ? 1_000 : 0);
  const end = to === undefined ? now : Date.parse(to);
  const elapsed = end - Date.parse(from);
  // Of what still goes on, tenths would only flicker.
  const shown =
    to === undefined ? formatSeconds(elapsed) : formatDuration(elapsed);
  return <span class="number">{shown}</span>;
}
