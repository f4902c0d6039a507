import type { PullProgress } from "./pull-progress-socket.js";

/** Shows one line that changes, on a terminal; else a line now and then. */
export interface ProgressLine {
  update(text: string): void;
  /** Leaves nothing behind on a terminal. */
  clear(): void;
}

/** Milliseconds between lines where there is no terminal. */
const plainIntervalMs = 5_000;

/** A progress line on a stream, standard error as a rule. */
export function createProgressLine(
  stream: NodeJS.WriteStream,
  now: () => number = Date.now,
): ProgressLine {
  let last = now();
  return {
    update: (text) => {
      if (stream.isTTY) stream.write(`\r\u001b[K${text}`);
      else if (now() - last >= plainIntervalMs) {
        last = now();
        stream.write(`${text}\n`);
      }
    },
    clear: () => {
      if (stream.isTTY) stream.write("\r\u001b[K");
    },
  };
}

/** A pull's progress as text: a bar, percent, megabytes and layers. */
export function formatPull(image: string, progress: PullProgress): string {
  const { bytes, bytesDone, layers, layersDone } = progress;
  const share = bytes === 0 ? 0 : Math.min(1, bytesDone / bytes);
  const bar = "#".repeat(Math.round(share * 20)).padEnd(20, ".");
  const mebibytes = (count: number) => (count / 2 ** 20).toFixed(1);
  return `pulling ${image} [${bar}] ${Math.floor(share * 100)}% ${mebibytes(bytesDone)}/${mebibytes(bytes)} MiB, ${layersDone}/${layers} layers`;
}
