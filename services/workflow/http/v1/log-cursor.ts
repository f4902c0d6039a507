import { Code, StatusError } from "../../../../lib/status/index.js";

/**
 * Which time a step was begun, as "run.attempt": each writes its log anew.
 */
export type Incarnation = string;

/** How much of a step's log was sent. */
export interface LogProgress {
  readonly incarnation: Incarnation;
  readonly stdout: number;
  readonly stderr: number;
  /** All of it, and the step had ended. */
  readonly isDone: boolean;
}

/** What nearly all steps have, and which is therefore not written. */
const firstIncarnation = "1.1";

/** Steps, `last` one of several that are done; and what of them was sent. */
const itemForm =
  /^(\d{1,6})(?:-(\d{1,6}))?(?:@(\d{1,6}\.\d{1,6}))?(?::(\d{1,16})\.(\d{1,16}))?$/;

/**
 * How much of a job's log a reader was sent. As text it is the id of an event,
 * such as "0-4,5:1024.0,6-8@2.1": of steps 0 to 4 all, of step 5 the first
 * kilobyte of standard output, of steps 6 to 8 all in the second run.
 */
export class LogCursor {
  readonly #bySteps = new Map<number, LogProgress>();

  /** Throws InvalidArgument for what toString() did not give. */
  static parse(text: string, steps: number): LogCursor {
    const cursor = new LogCursor();
    for (const item of text === "-" ? [] : text.split(",")) {
      const match = itemForm.exec(item);
      const first = Number(match?.[1] ?? steps);
      const last = Number(match?.[2] ?? first);
      if (match === null || first > last || last >= steps) {
        throw new StatusError(
          Code.InvalidArgument,
          "Last-Event-ID must be the id of an event of this job",
        );
      }
      const progress = {
        incarnation: match[3] ?? firstIncarnation,
        stdout: Number(match[4] ?? 0),
        stderr: Number(match[5] ?? 0),
        isDone: match[4] === undefined,
      };
      for (let step = first; step <= last; step++) {
        cursor.#bySteps.set(step, progress);
      }
    }
    return cursor;
  }

  /** What was sent of a step's log, as it is in this incarnation. */
  progress(step: number, incarnation: Incarnation): LogProgress {
    const known = this.#bySteps.get(step);
    if (known?.incarnation === incarnation) return known;
    return { incarnation, stdout: 0, stderr: 0, isDone: false };
  }

  /** Of the log that was sent of a step; undefined if nothing was. */
  incarnation(step: number): Incarnation | undefined {
    return this.#bySteps.get(step)?.incarnation;
  }

  /** Notes what was sent. */
  set(step: number, progress: LogProgress): void {
    this.#bySteps.set(step, progress);
  }

  toString(): string {
    const items: string[] = [];
    const steps = [...this.#bySteps.keys()].sort((a, b) => a - b);
    for (let at = 0; at < steps.length; ) {
      const first = steps[at] ?? 0;
      const item = this.#item(first);
      let last = first;
      at++;
      while (item.isDone && steps[at] === last + 1) {
        const next = this.#item(last + 1);
        if (!next.isDone || next.suffix !== item.suffix) break;
        last++;
        at++;
      }
      const range = last === first ? `${first}` : `${first}-${last}`;
      items.push(`${range}${item.suffix}`);
    }
    return items.length === 0 ? "-" : items.join(",");
  }

  #item(step: number): { isDone: boolean; suffix: string } {
    const progress = this.#bySteps.get(step);
    if (progress === undefined) return { isDone: false, suffix: "" };
    const { incarnation, isDone, stdout, stderr } = progress;
    const which = incarnation === firstIncarnation ? "" : `@${incarnation}`;
    const sent = isDone ? "" : `:${stdout}.${stderr}`;
    return { isDone, suffix: `${which}${sent}` };
  }
}
