import type { FairQueue } from "../../lib/fair-queue/index.js";
import type { Platform } from "../../lib/image/index.js";
import type { ImageResolver } from "../../lib/registry/index.js";
import { actionMetadataOf } from "./execution/action-metadata.js";
import type { ActionSettings } from "./execution/build-action.js";
import { createJobImages } from "./execution/job-images.js";
import type { JobObserver } from "./execution/job-observer.js";
import { JobWorkflow, type WorkflowLimits } from "./execution/job-workflow.js";
import type { RemoteEngine } from "./execution/remote-engine.js";
import { JobLogs } from "./logs/job-logs.js";
import type { JobStore } from "./store/job-store.js";

/** What jobs stand on. */
export interface WorkflowParts {
  readonly store: JobStore;
  readonly engine: RemoteEngine;
  readonly resolver: ImageResolver;
  /** Which entry of an index is meant. */
  readonly platform: Platform;
  readonly settings: ActionSettings;
  readonly limits: WorkflowLimits;
  /** Places for attempts. */
  readonly queue: FairQueue;
  readonly prepareTimeoutMs: number;
  readonly retryDelayMs: number;
  readonly observer: JobObserver;
  readonly sink: (error: unknown) => void;
}

/** Puts jobs on a store and an engine; resume() goes on with what is there. */
export function createJobWorkflow(parts: WorkflowParts): JobWorkflow {
  const { store, engine, limits, ...rest } = parts;
  return new JobWorkflow({
    store,
    limits,
    logs: new JobLogs(engine, store),
    parts: {
      ...rest,
      engine,
      images: createJobImages({
        resolver: parts.resolver,
        platform: parts.platform,
        pins: store,
      }),
      metadataOf: actionMetadataOf,
    },
  });
}
