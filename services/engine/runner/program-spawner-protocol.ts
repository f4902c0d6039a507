import type { Code } from "../../../lib/status/index.js";
import type { Leftovers } from "./program-leftovers.js";
import type { Program, ProgramOutcome } from "./program-runner.js";

/** What the engine sends to the process that starts programs. */
export type SpawnerRequest =
  | {
      readonly type: "run";
      readonly id: number;
      readonly program: Program;
      readonly leftovers: Leftovers;
    }
  /** Ends a program; its answer is then an error. */
  | { readonly type: "kill"; readonly id: number };

/** What that process answers, once for each program. */
export type SpawnerAnswer =
  | { readonly id: number; readonly outcome: ProgramOutcome }
  | { readonly id: number; readonly code: Code; readonly text: string };
