/** What the step of a job asks of the helper: a flag, and its value. */
export type StepWish =
  | {
      readonly flag: "workdir" | "stdin" | "place";
      readonly value: string;
    }
  | {
      readonly flag: "collect";
      readonly value: string;
      /** Components of the output's path from the input root. */
      readonly output: readonly string[];
    }
  | {
      readonly flag: "secret";
      readonly value: string;
      /** The secret's name. */
      readonly secret: string;
    };

/** Flags of wishes in the order in which the helper gets them. */
export const stepFlags: readonly StepWish["flag"][] = [
  "workdir",
  "stdin",
  "place",
  "collect",
  "secret",
];
