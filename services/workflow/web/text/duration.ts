const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/**
 * A duration for people: "8 ms", "1.2 s", "3 min 05 s", "2 h 04 min",
 * "3 d 2 h". What is negative, since clocks differ, is nothing.
 */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (Math.round(ms) < second) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / second).toFixed(1)} s`;
  const seconds = Math.round(ms / second);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) {
    return `${Math.floor(seconds / 60)} min ${padded(seconds % 60)} s`;
  }
  const minutes = Math.floor(ms / minute);
  if (ms < day)
    return `${Math.floor(minutes / 60)} h ${padded(minutes % 60)} min`;
  return `${Math.floor(ms / day)} d ${Math.floor((ms % day) / hour)} h`;
}

/** A duration for people that grows while they look: in whole seconds. */
export function formatSeconds(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / second));
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * second);
}

/** How long ago something was: "just now", "3 min ago", "2 d ago". */
export function formatAgo(milliseconds: number): string {
  if (milliseconds < 10 * second) return "just now";
  if (milliseconds < minute)
    return `${Math.floor(milliseconds / second)} s ago`;
  if (milliseconds < hour)
    return `${Math.floor(milliseconds / minute)} min ago`;
  if (milliseconds < day) return `${Math.floor(milliseconds / hour)} h ago`;
  return `${Math.floor(milliseconds / day)} d ago`;
}

function padded(number: number): string {
  return String(number).padStart(2, "0");
}
