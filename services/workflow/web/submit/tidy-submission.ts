import type { JobSubmission } from "../../../../lib/job-api/index.js";

/** What is so where nothing is said, as the service fills it in. */
const defaults: Readonly<Record<string, unknown>> = {
  cache: false,
  refresh: false,
  retry: "infrastructure",
};

/** Of a submission what has to be said, for people to read and change. */
export function tidySubmission({ steps, ...job }: JobSubmission): unknown {
  return {
    ...tidy(job),
    steps: steps.map((step) => ({
      ...tidy(step),
      // That of a job that caches, a step may have to be without.
      ...(step.cache !== undefined && { cache: step.cache }),
      // Nothing said would be the step before it.
      ...(step.needs !== undefined && { needs: step.needs }),
    })),
  };
}

function tidy(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) => value !== defaults[name] && !isEmpty(name, value),
    ),
  );
}

function isEmpty(name: string, value: unknown): boolean {
  // An empty command is one: it takes the place of the image's.
  if (name === "command" || name === "entrypoint") return false;
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === 0
  );
}
