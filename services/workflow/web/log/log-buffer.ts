import { plainLine } from "../text/plain-line.js";

/** A line of a log, as it is shown. */
export interface LogLine {
  readonly step: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Lines that follow each other. The array of one that is full stays the same. */
export interface LogChunk {
  readonly key: number;
  readonly lines: readonly LogLine[];
}

/** A part of what a step wrote. */
export interface LogPiece {
  readonly step: string;
  readonly stream: "stdout" | "stderr";
  /** Of its first byte. */
  readonly offset: number;
  readonly text: string;
  readonly bytes: number;
}

/** How much is kept: what a person can look through. */
export interface LogLimits {
  readonly lines: number;
  /** Lines of a chunk. */
  readonly chunk: number;
  /** Characters of a line; what is longer goes on in the next one. */
  readonly width: number;
}

const defaultLimits: LogLimits = { lines: 5_000, chunk: 100, width: 4_096 };

interface Stream {
  /** Of the next byte that is new. */
  offset: number;
  /** What was written behind the last line's end. */
  rest: string;
}

/** The last lines of a job's log, in the order in which they came. */
export class LogBuffer {
  readonly #limits: LogLimits;
  readonly #streams = new Map<string, Stream & Omit<LogLine, "text">>();
  readonly #dropped = new Map<string, number>();
  readonly #known = new Set<string>();
  #chunks: LogChunk[] = [];
  #nextKey = 0;
  #total = 0;

  constructor(limits: Partial<LogLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** How many lines there were, those that are not kept included. */
  get total(): number {
    return this.#total;
  }

  /** Whether anything was ever added of the step. */
  has(step: string): boolean {
    return this.#known.has(step);
  }

  /** Lines of a step, or of all, that are not kept any more. */
  dropped(step?: string): number {
    if (step !== undefined) return this.#dropped.get(step) ?? 0;
    return [...this.#dropped.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Forgets what is known of a step: it is begun again. */
  restart(step: string): void {
    this.#known.delete(step);
    for (const [key, stream] of this.#streams) {
      if (stream.step !== step) continue;
      this.#streams.delete(key);
      if (stream.rest !== "") this.#add({ ...stream, text: stream.rest });
    }
  }

  /** Adds what comes next of a stream; bytes that were there before do not count. */
  push(piece: LogPiece): void {
    const { step, stream } = piece;
    this.#known.add(step);
    const key = `${step}/${stream}`;
    const known = this.#streams.get(key) ?? {
      step,
      stream,
      offset: 0,
      rest: "",
    };
    this.#streams.set(key, known);
    const text = newPart(piece, known.offset);
    known.offset = Math.max(known.offset, piece.offset + piece.bytes);
    const lines = (known.rest + text).split("\n");
    known.rest = lines.pop() ?? "";
    for (const line of lines) this.#addLong({ step, stream, text: line });
    const { width } = this.#limits;
    for (; known.rest.length > width; known.rest = known.rest.slice(width)) {
      this.#add({ step, stream, text: known.rest.slice(0, width) });
    }
  }

  /** All lines that are kept. */
  chunks(): readonly LogChunk[] {
    return this.#chunks;
  }

  /** What was written behind the last line's end, such as a question. */
  unfinished(): readonly LogLine[] {
    return [...this.#streams.values()]
      .filter(({ rest }) => rest !== "")
      .map(({ step, stream, rest }) => ({
        step,
        stream,
        text: plainLine(rest),
      }));
  }

  #addLong(line: LogLine): void {
    const { width } = this.#limits;
    let { text } = line;
    for (; text.length > width; text = text.slice(width)) {
      this.#add({ ...line, text: text.slice(0, width) });
    }
    this.#add({ ...line, text });
  }

  #add({ step, stream, text }: LogLine): void {
    this.#total++;
    const line = { step, stream, text: plainLine(text) };
    const last = this.#chunks.at(-1);
    if (last === undefined || last.lines.length >= this.#limits.chunk) {
      this.#chunks = [...this.#chunks, { key: this.#nextKey++, lines: [line] }];
    } else {
      // Nobody holds the array of a chunk that is not full but through chunks().
      const lines = [...last.lines, line];
      this.#chunks = [...this.#chunks.slice(0, -1), { key: last.key, lines }];
    }
    this.#drop();
  }

  #drop(): void {
    const { lines, chunk } = this.#limits;
    if (this.#chunks.length <= Math.ceil(lines / chunk)) return;
    const [first, ...rest] = this.#chunks;
    this.#chunks = rest;
    for (const { step } of first?.lines ?? []) {
      this.#dropped.set(step, this.dropped(step) + 1);
    }
  }
}

/** Of a piece what lies behind an offset. */
function newPart({ offset, bytes, text }: LogPiece, from: number): string {
  if (offset >= from) return text;
  if (offset + bytes <= from) return "";
  const encoded = new TextEncoder().encode(text);
  return new TextDecoder().decode(encoded.subarray(from - offset));
}
