import type { Output } from "../image/output.js";

/** What every command on jobs works with. */
export interface JobCommandContext {
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Standard output. */
  readonly output: Output;
  /** Standard output, where it is a terminal: its size as it is now. */
  readonly terminal?: {
    readonly columns: number;
    readonly rows: number;
    /** Whether the cursor can be moved. */
    readonly canDraw: boolean;
  };
  /** A line on standard error; must hold nothing that steers terminals. */
  readonly say: (line: string) => void;
}

/** A command on jobs: does its work, and gives the exit status. */
export type JobCommand = (
  args: readonly string[],
  context: JobCommandContext,
) => Promise<number>;

/** Exit status when a job did not succeed. */
export const exitFailed = 1;
