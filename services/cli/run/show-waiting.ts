import { createProgressLine } from "./progress-line.js";

/** Milliseconds between two changes of the line. */
const intervalMs = 1_000;

/**
 * Waits for work that may take long without a sign, such as an answer of a
 * registry; says meanwhile on the stream what is waited for, and how long.
 */
export async function showWaiting<Result>(
  stream: NodeJS.WriteStream,
  what: string,
  work: Promise<Result>,
): Promise<Result> {
  const line = createProgressLine(stream);
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += intervalMs / 1_000;
    line.update(`${what} (${seconds} s)`);
  }, intervalMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    line.clear();
  }
}
