import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventReader } from "../services/workflow/testing/event-reader.js";
import { type Berth, startBerth } from "../test/fixtures/berth.js";
import { pushDemoImage } from "../test/fixtures/demo-image.js";
import { startDockerRegistry } from "../test/fixtures/docker-registry.js";
import {
  startWorkflowProcess,
  type WorkflowProcess,
} from "../test/fixtures/workflow-process.js";

/** Services that run jobs in the demo's image, and what they used. */
export interface JobScenario {
  /** For everything that is compared; on the disk of the engine's state. */
  readonly folder: string;
  readonly berth: Berth;
  readonly service: WorkflowProcess;
  /** The image by digest. */
  readonly image: string;
  /** Submits a job; gives its id. */
  submit(steps: readonly JobStep[]): Promise<string>;
  /** Follows a job to its end; throws if it does not succeed. */
  follow(id: string): Promise<void>;
  /** The workflow service's metrics, as Prometheus is told them. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** A step as the API takes it; the image is the scenario's. */
export interface JobStep {
  readonly name: string;
  readonly entrypoint: readonly string[];
  /** Step whose standard output it reads. */
  readonly stdin?: string;
}

/**
 * Starts `berth up`, and the workflow service in a process that serves its
 * metrics, with what `berth up` gives it else.
 */
export async function startJobScenario(): Promise<JobScenario> {
  const folder = await mkdtemp(join(tmpdir(), "berth-jobs-"));
  await chmod(folder, 0o755);
  const registry = await startDockerRegistry();
  const { pinned } = pushDemoImage(registry.host, { withGcc: true });
  const berth = await startBerth("--jobs-listen", "off");
  const service = await startWorkflowProcess(folder, {
    engine: { address: berth.address, instanceName: "jobs" },
    diagnostics: "127.0.0.1:0",
  });
  return {
    ...{ folder, berth, service, image: pinned },
    submit: (steps) =>
      submit(
        service.url,
        steps.map((step) => ({ ...step, image: pinned })),
      ),
    follow: (id) => follow(service.url, id),
    metrics: async () => {
      const address = /"diagnosticsAddress":"([^"]+)"/.exec(service.log())?.[1];
      return (await fetch(`http://${address}/metrics`)).text();
    },
    stop: async () => {
      await service.stop();
      await berth.stop();
      await registry.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function submit(url: string, steps: readonly unknown[]): Promise<string> {
  const response = await fetch(`${url}/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ steps }),
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`Not taken: ${text}`);
  const { id }: { id: string } = JSON.parse(text); // as jobViewSchema has it
  return id;
}

async function follow(url: string, id: string): Promise<void> {
  const reader = await EventReader.open(`${url}/v1/jobs/${id}/events`);
  let state = "";
  await reader.read((message) => {
    if (message.kind === "job") state = message.job.state;
    return message.kind === "end";
  });
  reader.close();
  if (state !== "succeeded") throw new Error(`Job "${id}" is ${state}`);
}

/** Processor time that a process has used, in milliseconds. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Behind the program's name: the 14th and 15th of all (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 10; // USER_HZ is 100 everywhere
}

/** The most memory that a process has had, in MiB. */
export function peakMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
