/** A length of time for people: "0.4 s", "45 s", "3 m 20 s", "2 h 5 m". */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} m ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

/** Between two times as the API has them; until `now` while it lasts. */
export function formatSpan(
  span: {
    readonly startedAt?: string | undefined;
    readonly endedAt?: string | undefined;
  },
  now: number,
): string {
  if (span.startedAt === undefined) return "";
  const end = span.endedAt === undefined ? now : Date.parse(span.endedAt);
  return formatDuration(end - Date.parse(span.startedAt));
}

/** A time of the API to the second, in UTC. */
export function formatTime(time: string): string {
  return time.replace("T", " ").replace(/(\.\d+)?Z$/, "Z");
}
