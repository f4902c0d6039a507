import type { ProgramContext } from "../../lib/program/index.js";

/** One of berth's commands. */
export interface Command {
  /** The whole help text, without a newline at its end. */
  readonly help: string;
  /**
   * Does the work with the arguments after the command's name. Returns the
   * exit status; throws InvalidArgument for wrong usage.
   */
  run(args: readonly string[], context: ProgramContext): Promise<number>;
}
