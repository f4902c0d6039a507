import type { JobView } from "../../../../lib/job-api/index.js";
import type { Output } from "../../image/output.js";
import type { FollowView } from "./follow-view.js";
import { formatJobTable } from "./job-table.js";
import { linePrefix } from "./line-prefix.js";
import { type StepLine, StepLines } from "./step-lines.js";
import { plainText, terminalText } from "./terminal-text.js";

/** A terminal to draw on. */
export interface TerminalViewOptions {
  readonly output: Output;
  /** Its size, as it is now. */
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly hasColours: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Between two drawings, in milliseconds: nobody reads faster. */
const intervalMs = 100;

/** Lines that wait for the next drawing; then it does not wait, either. */
const maximumWaiting = 2 ** 16;

/** Lines run on where they are too long; a line of the table must not. */
const wrapOff = "\u001b[?7l";
const wrapOn = "\u001b[?7h";

/**
 * A view on a terminal: the lines of the steps, and below them the job's table,
 * drawn anew in its place. What steps write cannot steer the terminal.
 */
export class TerminalView implements FollowView {
  readonly #options: TerminalViewOptions;
  readonly #lines = new StepLines();
  readonly #timer: NodeJS.Timeout;
  #prefix = linePrefix([]);
  #job: JobView | undefined;
  #waiting = "";
  #drawnRows = 0;
  #failure: unknown;

  constructor(options: TerminalViewOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#draw().catch((error: unknown) => {
        this.#failure ??= error; // the next message finds it
      });
    }, intervalMs);
  }

  async message(message: Parameters<FollowView["message"]>[0]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    switch (message.kind) {
      case "job":
        this.#job = message.job;
        this.#prefix = linePrefix(message.job.steps);
        this.#add(this.#lines.update(message.job));
        break;
      case "log":
        this.#add(this.#lines.take(message));
        break;
      case "notice":
        await this.note(message.text);
        break;
      case "end":
        break;
    }
    if (this.#waiting.length > maximumWaiting) await this.#draw();
  }

  async note(text: string): Promise<void> {
    this.#waiting += `berth: ${plainText(text)}\n`;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#add(this.#lines.rest());
    await this.#draw();
  }

  #add(lines: readonly StepLine[]): void {
    for (const line of lines) {
      this.#waiting += `${this.#prefix(line)}${terminalText(line.text)}\n`;
    }
  }

  /** Goes up to where the table begins, and writes all from there on. */
  async #draw(): Promise<void> {
    const { output, size, hasColours, now = Date.now } = this.#options;
    const { columns, rows } = size();
    // The cursor stands below the table, where nothing is lost by a line end.
    const table =
      this.#job === undefined
        ? []
        : formatJobTable(this.#job, {
            now: now(),
            columns,
            rows: rows - 1,
            hasColours,
          });
    const up = this.#drawnRows === 0 ? "" : `\r\u001b[${this.#drawnRows}A`;
    const text = table.map((line) => `${line}\n`).join("");
    const data = `${up}\u001b[J${this.#waiting}${wrapOff}${text}${wrapOn}`;
    this.#waiting = "";
    this.#drawnRows = table.length;
    await output.write(data);
  }
}
