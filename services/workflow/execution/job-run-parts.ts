import type { Metadata } from "@grpc/grpc-js";
import type { FairQueue } from "../../../lib/fair-queue/index.js";
import type { Job } from "../model/job.js";
import type { Step } from "../model/step.js";
import type { ActionSettings } from "./build-action.js";
import type { JobImages } from "./job-images.js";
import type { JobObserver } from "./job-observer.js";
import type { RemoteEngine } from "./remote-engine.js";

/** What runs of jobs share. */
export interface JobRunParts {
  readonly engine: RemoteEngine;
  readonly images: JobImages;
  readonly settings: ActionSettings;
  /** Places for attempts; tenants take turns. */
  readonly queue: FairQueue;
  /** How long an image may be out of reach before the job fails. */
  readonly prepareTimeoutMs: number;
  /** The wait before the second attempt of a step; it doubles each time. */
  readonly retryDelayMs: number;
  /** Headers for the engine, which say whose action it is. */
  readonly metadataOf: (job: Job, step: Step) => Metadata;
  readonly observer: JobObserver;
  /** Takes errors that no caller waits for. */
  readonly sink: (error: unknown) => void;
  /** Aborted when the service ends; what the engine runs goes on. */
  readonly stop: AbortSignal;
}
