import type { StepLine } from "./step-lines.js";

/** Longer names do not move the lines of all others. */
const maximumWidth = 20;

/** Makes what stands before the lines of steps, one below the other. */
export function linePrefix(
  steps: readonly { readonly name: string }[],
): (line: StepLine) => string {
  const lengths = steps.map(({ name }) => Math.min(name.length, maximumWidth));
  const width = Math.max(0, ...lengths);
  return ({ step }) => `${step.padEnd(width)} | `;
}
