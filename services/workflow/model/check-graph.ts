import { Code, StatusError } from "../../../lib/status/index.js";
import type { Source } from "./container.js";
import type { StepSpecification } from "./step.js";

/**
 * Checks that steps are a graph that can be run: names are unique, what is
 * named exists, data comes from steps that are waited for, and nothing waits
 * for itself. Throws InvalidArgument naming the step.
 */
export function checkGraph(steps: readonly StepSpecification[]): void {
  const byName = new Map<string, StepSpecification>();
  for (const step of steps) {
    if (byName.has(step.name)) {
      throw wrong(`Two steps have the name "${step.name}"`);
    }
    byName.set(step.name, step);
  }
  for (const step of steps) {
    for (const name of step.needs) {
      if (!byName.has(name)) {
        throw wrong(`Step "${step.name}" needs "${name}": no step has it`);
      }
    }
    checkOutputs(step);
    for (const source of sourcesOf(step)) checkSource(step, source, byName);
  }
  checkAcyclic(byName);
}

/** Everything that a step reads of others. */
export function sourcesOf({ work }: StepSpecification): readonly Source[] {
  const inputs = work.inputs.map(({ from }) => from);
  return work.stdin === undefined ? inputs : [work.stdin, ...inputs];
}

function wrong(text: string): StatusError {
  return new StatusError(Code.InvalidArgument, text);
}

function checkOutputs({ name, work }: StepSpecification): void {
  const names = new Set<string>(["stdout", "stderr"]);
  for (const output of work.outputs) {
    if (names.has(output.name)) {
      throw wrong(`Step "${name}" has two outputs "${output.name}"`);
    }
    names.add(output.name);
  }
}

function checkSource(
  step: StepSpecification,
  { step: from, output }: Source,
  byName: ReadonlyMap<string, StepSpecification>,
): void {
  const source = byName.get(from);
  const what = `Step "${step.name}" reads "${from}/${output}"`;
  if (source === undefined) throw wrong(`${what}: no step has that name`);
  if (!step.needs.includes(from)) {
    throw wrong(`${what}, and must therefore need it`);
  }
  if (output === "stdout" || output === "stderr") return;
  const found = source.work.outputs.find(({ name }) => name === output);
  if (found === undefined) {
    const names = [
      "stdout",
      "stderr",
      ...source.work.outputs.map((o) => o.name),
    ];
    throw wrong(
      `${what}: step "${from}" has no such output, but ${names.join(", ")}`,
    );
  }
  if (step.work.stdin?.step === from && step.work.stdin.output === output) {
    if (found.path.endsWith("/")) {
      throw wrong(`${what} as standard input: it is a directory`);
    }
  }
}

function checkAcyclic(byName: ReadonlyMap<string, StepSpecification>): void {
  const done = new Set<string>();
  // Not by recursion: a chain may be as long as the list of steps.
  const waitFor = new Map(
    [...byName].map(([name, { needs }]) => [name, new Set(needs)]),
  );
  for (let left = byName.size; left > 0; ) {
    const free = [...waitFor].filter(([, needs]) =>
      [...needs].every((name) => done.has(name)),
    );
    if (free.length === 0) {
      const names = [...waitFor.keys()].map((name) => `"${name}"`);
      throw wrong(`Steps wait for each other: ${names.join(", ")}`);
    }
    for (const [name] of free) {
      done.add(name);
      waitFor.delete(name);
    }
    left -= free.length;
  }
}
