import { randomUUID } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";
import { type Digest, parseInstanceName } from "../lib/digest/index.js";
import {
  buildAction,
  type ReadyStep,
} from "../services/workflow/execution/build-action.js";
import { RemoteEngine } from "../services/workflow/execution/remote-engine.js";
import type { JobScenario } from "./job-scenario.js";

/** The settings that a workflow service has by default. */
const settings = {
  network: "host",
  user: "root",
  timeoutMs: 3_600_000,
  platform: [],
} as const;

const instanceName = parseInstanceName("jobs");

/** Actions as jobs' steps have them, run without a job. */
export interface BareActions extends Disposable {
  /** Puts so many new actions into CAS that run a program. */
  prepare(entrypoint: string[], count: number): Promise<readonly Digest[]>;
  /** Executes one, uncached, to its end; throws unless it ends with 0. */
  execute(action: Digest): Promise<void>;
}

/** Connects to the engine of a scenario. */
export function createBareActions(scenario: JobScenario): BareActions {
  const { address } = scenario.berth;
  const engine = new RemoteEngine({ address, instanceName });
  return {
    prepare: async (entrypoint, count) => {
      const digests: Digest[] = [];
      for (let index = 0; index < count; index++) {
        const step = bareStep(scenario.image, entrypoint);
        const { digest, blobs } = buildAction(step, settings);
        for (const { data } of blobs) {
          await engine.cas.write(data, { instanceName });
        }
        digests.push(digest);
      }
      return digests;
    },
    execute: async (digest) => {
      const { signal } = new AbortController();
      const { result } = await engine.execute(
        { digest, mayBeCached: false, metadata: new Metadata() },
        { onProgress: () => {}, signal },
      );
      if (result?.exitCode !== 0) throw new Error(`Action "${digest}" failed`);
    },
    [Symbol.dispose]: () => engine[Symbol.dispose](),
  };
}

function bareStep(reference: string, entrypoint: string[]): ReadyStep {
  return {
    specification: {
      name: "bare",
      needs: [],
      work: {
        ...{ kind: "container", image: reference, refresh: false, entrypoint },
        ...{ environment: [], secrets: [], inputs: [], outputs: [] },
      },
      cache: false,
      retry: "infrastructure",
    },
    image: {
      reference: `docker://${reference}`,
      ...{ entrypoint: [], command: [], environment: [] },
      ...{ user: "", workingDirectory: "" },
    },
    data: () => {
      throw new RangeError("It has no inputs");
    },
    salt: randomUUID(),
  };
}
