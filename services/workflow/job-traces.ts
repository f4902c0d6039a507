import {
  context,
  type Span,
  type SpanAttributes,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { type SpanName, spanOfJob, spanOfStep } from "./execution/trace-ids.js";
import type { Job } from "./model/job.js";
import type { Step, StepResult } from "./model/step.js";

/** Where finished traces go. */
export interface JobTraces {
  /** Writes down a run of a job, its steps, and what their actions did. */
  jobEnded(job: Job): void;
  /** Sends what has not been sent. */
  stop(): Promise<void>;
}

/** What an action's worker did, and when. */
const phases = [
  ["queue", "queued", "workerStart"],
  ["fetch inputs", "inputFetchStart", "inputFetchEnd"],
  ["execute", "executionStart", "executionEnd"],
  ["upload outputs", "outputUploadStart", "outputUploadEnd"],
] as const;

/**
 * Sends traces to a collector (OTLP over gRPC). A job's spans are made when
 * it ends, of what its record says: so they are whole after restarts, and
 * reach down to the actions on any engine, by the times in their results.
 */
export async function createJobTraces(endpoint: string): Promise<JobTraces> {
  // Loaded only where traces are wanted: it takes longer than all the rest.
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import("@opentelemetry/sdk-trace-base"),
      import("@opentelemetry/exporter-trace-otlp-grpc"),
      import("@opentelemetry/resources"),
    ]);
  const names: { next: SpanName | undefined } = { next: undefined };
  const random = new sdk.RandomIdGenerator();
  const provider = new sdk.BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "berth-workflow" }),
    spanProcessors: [
      new sdk.BatchSpanProcessor(new OTLPTraceExporter({ url: endpoint })),
    ],
    idGenerator: {
      generateTraceId: () => names.next?.traceId ?? random.generateTraceId(),
      generateSpanId: () => names.next?.spanId ?? random.generateSpanId(),
    },
  });
  const tracer = provider.getTracer("berth");
  return {
    jobEnded: (job) => traceJob(tracer, names, job),
    stop: () => provider.shutdown(),
  };
}

interface SpanOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes?: SpanAttributes;
  readonly failure?: string | undefined;
}

function traceJob(
  tracer: Tracer,
  names: { next: SpanName | undefined },
  job: Job,
): void {
  const { state } = job;
  if (!("at" in state)) return;
  /** Makes a span of this very name, beneath another or none. */
  const add = (
    text: string,
    name: SpanName | undefined,
    { startMs, ...options }: SpanOptions & { parent?: SpanName },
  ) => {
    names.next = name;
    const parent =
      options.parent === undefined
        ? context.active()
        : trace.setSpanContext(context.active(), {
            ...options.parent,
            traceFlags: TraceFlags.SAMPLED,
          });
    const span = tracer.startSpan(
      text,
      {
        startTime: startMs,
        root: options.parent === undefined,
        ...(options.attributes && { attributes: options.attributes }),
      },
      parent,
    );
    names.next = undefined;
    endSpan(span, options);
  };
  const root = spanOfJob(job);
  add(`job ${job.name ?? job.id}`, root, {
    startMs: job.startedAt,
    endMs: state.at,
    attributes: { "berth.job.id": job.id, "berth.job.state": state.kind },
    failure: state.kind === "failed" ? state.reason.text : undefined,
  });
  for (const step of job.steps) traceStep(job, step, add);
}

function endSpan(
  span: Span,
  { endMs, failure }: Pick<SpanOptions, "endMs" | "failure">,
): void {
  if (failure !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
  }
  span.end(endMs);
}

function traceStep(
  job: Job,
  { specification, state, startedAt, attempts }: Step,
  add: (
    text: string,
    name: SpanName | undefined,
    options: SpanOptions & { parent?: SpanName },
  ) => void,
): void {
  if (!("at" in state) || startedAt === undefined) return;
  if (startedAt < job.startedAt) return; // it succeeded in an earlier run
  const name = spanOfStep(job, specification.name);
  const result = "result" in state ? state.result : undefined;
  add(`step ${specification.name}`, name, {
    parent: spanOfJob(job),
    startMs: startedAt,
    endMs: state.at,
    attributes: {
      "berth.step.state": state.kind,
      "berth.step.attempts": attempts,
      "berth.step.cached": result?.cached ?? false,
      "berth.image": specification.work.image,
    },
    failure: "reason" in state ? state.reason.text : undefined,
  });
  // A cached result tells of the action that made it, some time before.
  if (result === undefined || result.cached) return;
  for (const [text, from, to] of phases) {
    const [startMs, endMs] = [result.times[from], result.times[to]];
    if (startMs === undefined || endMs === undefined) continue;
    const attributes = workerOf(result);
    add(text, undefined, { parent: name, startMs, endMs, attributes });
  }
}

function workerOf({ worker }: StepResult): SpanAttributes {
  return worker === "" ? {} : { "berth.worker": worker };
}
