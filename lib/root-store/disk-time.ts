/**
 * A time of modification for Node's file functions, which take a negative
 * number for the present time, but no Date before 1970 for it.
 */
export function diskTime(seconds: number): number | Date {
  return seconds < 0 ? new Date(seconds * 1000) : seconds;
}
