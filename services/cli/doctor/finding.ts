/** One thing that `berth doctor` looked at. */
export interface Finding {
  /** "note" is good to know; only "fail" keeps actions from running. */
  readonly result: "ok" | "note" | "fail";
  /** What was found and, if it is bad, what to do. */
  readonly text: string;
}
