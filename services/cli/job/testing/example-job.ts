import type { JobView, StepView } from "../../../../lib/job-api/index.js";

/** A step as the API shows it. */
export function stepOf(name: string, fields: Partial<StepView> = {}): StepView {
  return {
    name,
    state: "waiting",
    needs: [],
    image: { reference: "debian" },
    cache: false,
    cached: false,
    retry: "infrastructure",
    attempts: 0,
    log: { isLive: false, stdout: { url: "/" }, stderr: { url: "/" } },
    outputs: [],
    ...fields,
  };
}

/** A running job of these steps, begun at 12:00 on the first of 2026. */
export function jobOf(...steps: StepView[]): JobView {
  const succeeded = steps.filter(({ state }) => state === "succeeded");
  return {
    id: "51E0E756-A6B4-4CC7-87BD-364970C2268C",
    labels: {},
    state: "running",
    createdAt: "2026-01-01T12:00:00.000Z",
    startedAt: "2026-01-01T12:00:00.000Z",
    run: 1,
    stepsTotal: steps.length,
    stepsSucceeded: succeeded.length,
    stepsCached: succeeded.filter(({ cached }) => cached).length,
    steps,
  };
}
