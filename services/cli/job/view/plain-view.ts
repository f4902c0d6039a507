import type { JobView } from "../../../../lib/job-api/index.js";
import type { Output } from "../../image/output.js";
import type { FollowView } from "./follow-view.js";
import { formatSpan } from "./format-time.js";
import { linePrefix } from "./line-prefix.js";
import { type StepLine, StepLines } from "./step-lines.js";
import { plainText, terminalText } from "./terminal-text.js";

/** Where a view without a terminal writes. */
export interface PlainViewOptions {
  /** The steps' lines: as they are, unless it is a terminal. */
  readonly output: Output;
  readonly isTerminal?: boolean;
  /** What becomes of the steps; line by line, without the line's end. */
  readonly onNews: (line: string) => void;
  /** The only step whose lines are wanted. */
  readonly step?: string | undefined;
}

/** A view where there is no terminal: lines, and nothing is drawn anew. */
export function createPlainView(options: PlainViewOptions): FollowView {
  const { output, onNews, step, isTerminal = false } = options;
  const lines = new StepLines();
  let prefix = linePrefix([]);
  let job: JobView | undefined;
  const write = async (shown: readonly StepLine[]) => {
    const text = shown
      .filter((line) => step === undefined || line.step === step)
      .map((line) => {
        const safe = isTerminal ? terminalText(line.text) : line.text;
        return `${step === undefined ? prefix(line) : ""}${safe}\n`;
      })
      .join("");
    if (text !== "") await output.write(text);
  };
  return {
    message: async (message) => {
      switch (message.kind) {
        case "job":
          prefix = linePrefix(message.job.steps);
          await write(lines.update(message.job));
          for (const line of newsOf(message.job, job)) onNews(line);
          job = message.job;
          break;
        case "log":
          await write(lines.take(message));
          break;
        case "notice":
          onNews(plainText(message.text));
          break;
        case "end":
          break;
      }
    },
    note: async (text) => onNews(text),
    end: () => write(lines.rest()),
  };
}

/** What is told of a change; that a step waits is none. */
function newsOf(job: JobView, before: JobView | undefined): string[] {
  return job.steps.flatMap((step, index) => {
    const was = before?.steps[index];
    const isNew = was?.state !== step.state || job.run !== before?.run;
    if (!isNew || step.state === "waiting" || step.state === "ready") return [];
    const span = step.cached ? "cached" : formatSpan(step, Date.now());
    const hasEnded = step.endedAt !== undefined && span !== "";
    const remark = hasEnded ? ` (${span})` : "";
    return [`${step.name}: ${step.state}${remark}`];
  });
}
