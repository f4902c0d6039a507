import type { JobMessage, JobView } from "../../../../lib/job-api/index.js";

/** A line that is longer is shown in parts: what waits for its end is kept. */
const maximumLineLength = 2 ** 16;

/** A line that a step wrote, without its end. */
export interface StepLine {
  readonly step: string;
  readonly text: string;
}

interface Stream {
  readonly step: string;
  pending: string;
  /** Bytes that were taken. */
  taken: number;
}

/** Puts lines together of what steps write, each stream on its own. */
export class StepLines {
  readonly #streams = new Map<string, Stream>();
  /** Of streams that have ended, in bytes. */
  #sizes = new Map<string, number>();

  /** The lines that end in a piece of a log. */
  take(message: JobMessage & { readonly kind: "log" }): StepLine[] {
    const { step, offset, text, bytes } = message;
    const key = keyOf(step, message.stream);
    const before = this.#streams.get(key)?.pending ?? "";
    // What begins at 0 again is another attempt's: nothing ends that line.
    const isNew = offset === 0 && before !== "";
    const lines = splitLines((isNew ? "" : before) + text);
    const pending = lines.pop() ?? "";
    const stream = { step, pending, taken: offset + bytes };
    this.#streams.set(key, stream);
    return [
      ...(isNew ? [{ step, text: before }] : []),
      ...lines.map((line) => ({ step, text: line })),
      ...this.#settle(key, stream),
    ];
  }

  /** Learns how long logs are; gives lines that turn out to have no end. */
  update(job: JobView): StepLine[] {
    this.#sizes = new Map(
      job.steps.flatMap(({ name, log }) =>
        (["stdout", "stderr"] as const).flatMap((stream) => {
          const { sizeBytes } = log[stream];
          return sizeBytes === undefined
            ? []
            : [[keyOf(name, stream), sizeBytes] as const];
        }),
      ),
    );
    return [...this.#streams].flatMap(([key, stream]) =>
      this.#settle(key, stream),
    );
  }

  /** All that is left, when nothing follows. */
  rest(): StepLine[] {
    return [...this.#streams.values()].flatMap(flush);
  }

  #settle(key: string, stream: Stream): StepLine[] {
    return stream.taken === this.#sizes.get(key) ? flush(stream) : [];
  }
}

function keyOf(step: string, stream: "stdout" | "stderr"): string {
  return `${step}/${stream}`;
}

function flush(stream: Stream): StepLine[] {
  const { step, pending } = stream;
  stream.pending = "";
  return pending === "" ? [] : [{ step, text: pending.replace(/\r$/, "") }];
}

/** The last one has not ended. */
function splitLines(text: string): string[] {
  // A lone CR is that of a progress bar: each of its states is a line.
  const lines = text.split(/\r?\n|\r(?=[^\n])/);
  let last = lines.pop() ?? "";
  while (last.length > maximumLineLength) {
    lines.push(last.slice(0, maximumLineLength));
    last = last.slice(maximumLineLength);
  }
  return [...lines, last];
}
