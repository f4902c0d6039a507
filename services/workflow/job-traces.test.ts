import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createJobTraces } from "./job-traces.js";
import { JobScenario, scriptStep } from "./testing/job-scenario.js";

/** A span as a collector sees it (opentelemetry.proto.trace.v1.Span). */
interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  startNanos: bigint;
  endNanos: bigint;
}

const exportPath =
  "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

let spans: CollectedSpan[];
let collector: Server;
let endpoint: string;
let scenario: JobScenario;

beforeAll(async () => {
  spans = [];
  collector = new Server();
  collector.addService(
    {
      export: {
        path: exportPath,
        requestStream: false,
        responseStream: false,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    {
      export: (
        call: { request: Buffer },
        callback: (error: null, answer: Buffer) => void,
      ) => {
        spans.push(...readSpans(call.request));
        callback(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    collector.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  endpoint = `http://127.0.0.1:${port}`;
  scenario = await JobScenario.start();
}, 60_000);

afterAll(async () => {
  collector.forceShutdown();
  await scenario.stop();
});

/** Fields of a message with these numbers, of messages within each other. */
function* fields(bytes: Uint8Array): Generator<[number, Uint8Array | bigint]> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === 2) yield [number, reader.bytes()];
    else if (type === 1) yield [number, BigInt(reader.fixed64())];
    else reader.skip(type);
  }
}

function within(bytes: Uint8Array, number: number): Uint8Array[] {
  return [...fields(bytes)].flatMap(([at, value]) =>
    at === number && typeof value !== "bigint" ? [value] : [],
  );
}

function readSpans(request: Uint8Array): CollectedSpan[] {
  return within(request, 1) // resource_spans
    .flatMap((resource) => within(resource, 2)) // scope_spans
    .flatMap((scope) => within(scope, 2)) // spans
    .map((span) => {
      const all = new Map(fields(span));
      const hex = (number: number) =>
        Buffer.from((all.get(number) as Uint8Array) ?? []).toString("hex");
      return {
        traceId: hex(1),
        spanId: hex(2),
        parentSpanId: hex(4),
        name: Buffer.from(all.get(5) as Uint8Array).toString(),
        startNanos: all.get(7) as bigint,
        endNanos: all.get(8) as bigint,
      };
    });
}

test("createJobTraces() sends a job, its steps and what their workers did", async () => {
  const key = await scenario.submit(
    scriptStep("a", "sleep 0.2"),
    scriptStep("b", "exit 3", { needs: ["a"] }),
    scriptStep("c", "true", { needs: ["b"] }),
  );
  const job = await scenario.end(key);
  const traces = await createJobTraces(endpoint);
  traces.jobEnded(job);
  await traces.stop();
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const [root] = spans.filter(({ parentSpanId }) => parentSpanId === "");
  expect(root?.name).toBe(`job ${job.id}`);
  const below = (parent: string | undefined) =>
    spans
      .filter(({ parentSpanId }) => parentSpanId === parent)
      .map(({ name }) => name);
  expect(below(root?.spanId)).toEqual(["step a", "step b"]);
  const step = spans.find(({ name }) => name === "step a");
  expect(below(step?.spanId)).toEqual([
    "queue",
    "fetch inputs",
    "execute",
    "upload outputs",
  ]);
  const run = spans.find(
    ({ name, parentSpanId }) =>
      name === "execute" && parentSpanId === step?.spanId,
  );
  const lasted = (run?.endNanos ?? 0n) - (run?.startNanos ?? 0n);
  expect(lasted).toBeGreaterThan(190_000_000n);
});

test("createJobTraces() names the spans that engines were told", async () => {
  const key = await scenario.submit(scriptStep("a", "true"));
  const job = await scenario.end(key);
  const { actionMetadataOf } = await import("./execution/action-metadata.js");
  const [step] = job.steps;
  if (step === undefined) throw new RangeError("The job has a step");
  const [header] = actionMetadataOf(job, step).get("traceparent");
  const before = spans.length;
  const traces = await createJobTraces(endpoint);
  traces.jobEnded(job);
  await traces.stop();
  const span = spans.slice(before).find(({ name }) => name === "step a");
  expect(header).toBe(`00-${span?.traceId}-${span?.spanId}-01`);
});
