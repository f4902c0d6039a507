import type {
  JobStateName,
  StepStateName,
} from "../../../../lib/job-api/index.js";

/** A state that a job or a step can be in. */
export type StateName = JobStateName | StepStateName;

const labels: Readonly<Record<StateName, string>> = {
  preparing: "Preparing",
  waiting: "Waiting",
  ready: "Ready",
  queued: "Queued",
  running: "Running",
  cancelling: "Cancelling",
  succeeded: "Succeeded",
  failed: "Failed",
  cancelled: "Cancelled",
  skipped: "Skipped",
  lost: "Unknown end",
};

/** A state as people read it. */
export function stateLabel(state: StateName): string {
  return labels[state];
}

/** Whether nothing more happens to a job in this state. */
export function hasEnded(state: JobStateName): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

/** Whether nothing more happens to a step in this state. */
export function hasStepEnded(state: StepStateName): boolean {
  switch (state) {
    case "waiting":
    case "ready":
    case "queued":
    case "running":
      return false;
    case "succeeded":
    case "failed":
    case "cancelled":
    case "skipped":
    case "lost":
      return true;
  }
}

/** By what a list of jobs can be filtered: word, label, states. */
export const stateFilters: readonly {
  readonly word: string;
  readonly label: string;
  readonly states: readonly JobStateName[];
}[] = [
  { word: "", label: "All states", states: [] },
  {
    word: "active",
    label: "Not ended",
    states: ["preparing", "running", "cancelling"],
  },
  { word: "succeeded", label: "Succeeded", states: ["succeeded"] },
  { word: "failed", label: "Failed", states: ["failed"] },
  { word: "cancelled", label: "Cancelled", states: ["cancelled"] },
];
