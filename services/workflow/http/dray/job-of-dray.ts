import type { Container, Source } from "../../model/container.js";
import { hasJobEnded, type Job } from "../../model/job.js";
import type { StepSpecification } from "../../model/step.js";
import type { NewJob } from "../../workflow.js";
import type { DrayJob } from "./dray-schemas.js";

/** What a step's file is called among its outputs. */
const fileOutput = "output";

type DrayStep = DrayJob["steps"][number];

/**
 * Makes a job of one that was described as for Dray: a chain, each step
 * reading what the one before put out, nothing of it out of the cache.
 */
export function jobOfDray(tenant: string, job: DrayJob): NewJob {
  return {
    tenant,
    // Dray takes an empty name for none.
    name: job.name === "" ? undefined : job.name,
    labels: {},
    steps: job.steps.map((step, index) => stepOfDray(job, step, index)),
  };
}

// Dray's names of steps may be missing, repeated, and any text.
function nameOf(index: number): string {
  return `step-${index + 1}`;
}

function stepOfDray(
  job: DrayJob,
  step: DrayStep,
  index: number,
): StepSpecification {
  const before = job.steps[index - 1];
  return {
    name: nameOf(index),
    needs: before === undefined ? [] : [nameOf(index - 1)],
    work: {
      kind: "container",
      image: step.source,
      refresh: step.refresh ?? false,
      environment: environmentOf(job, step),
      secrets: [],
      inputs: [],
      outputs: outputsOf(step),
      ...(before !== undefined && { stdin: handedOn(before, index - 1) }),
    },
    cache: false,
    retry: "infrastructure",
  };
}

/** The job's variables, and over them the step's. */
function environmentOf(job: DrayJob, step: DrayStep): Container["environment"] {
  const all = [...(job.environment ?? []), ...(step.environment ?? [])];
  return all.map(({ variable, value }) => ({ name: variable, value }));
}

function outputsOf({ output }: DrayStep): Container["outputs"] {
  if (output?.startsWith("/") !== true) return [];
  return [{ name: fileOutput, path: output }];
}

function handedOn({ output = "stdout" }: DrayStep, index: number): Source {
  const isFile = output.startsWith("/");
  return { step: nameOf(index), output: isFile ? fileOutput : output };
}

/** Dray's word for a job's state. */
export function drayStatus(job: Job): "running" | "complete" | "error" {
  if (!hasJobEnded(job)) return "running";
  return job.state.kind === "succeeded" ? "complete" : "error";
}

/** How many steps are done; one that failed is not. */
export function stepsCompleted({ steps }: Job): number {
  return steps.filter(({ state }) => state.kind === "succeeded").length;
}
