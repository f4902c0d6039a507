import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  ByteStreamClient,
  ByteStreamService,
  type QueryWriteStatusRequest,
  type ReadRequest,
  type WriteRequest,
} from "#proto/google/bytestream/bytestream.js";
import { HealthClient } from "#proto/grpc/health/v1/health.js";
import { Code, StatusError } from "../status/index.js";
import {
  callServerStream,
  callUnary,
  channelCredentials,
  channelOptions,
  type GrpcServer,
  implementClientStream,
  implementServerStream,
  implementUnary,
  serveGrpc,
} from "./index.js";

const detail = { typeUrl: "type.test/x", value: Buffer.from("y") };
let unexpected: unknown[];
let reading = 0;
let produced: number;
let server: GrpcServer;
let client: ByteStreamClient;

beforeEach(async () => {
  unexpected = [];
  produced = 0;
  const sink = (error: unknown) => unexpected.push(error);
  server = await serveGrpc({
    listen: "127.0.0.1:0",
    sink,
    services: [
      {
        definition: ByteStreamService,
        implementation: {
          queryWriteStatus: implementUnary(answerQuery, sink),
          read: implementServerStream(readIfAny, sink, { stallTimeoutMs: 300 }),
          write: implementClientStream(countBytes, sink),
        },
      },
    ],
  });
  client = new ByteStreamClient(
    server.address,
    channelCredentials(),
    channelOptions({}),
  );
});

afterEach(async () => {
  client.close();
  await server.stop(0);
});

async function answerQuery(
  request: QueryWriteStatusRequest,
  context: { signal: AbortSignal },
) {
  switch (request.resourceName) {
    case "refused":
      throw new StatusError(Code.NotFound, "no such", { details: [detail] });
    case "broken":
      throw new TypeError("secret inside");
    case "slow":
      await new Promise((_, reject) => {
        context.signal.addEventListener("abort", () =>
          reject(context.signal.reason),
        );
      });
  }
  return { committedSize: 7, complete: true };
}

function readIfAny(request: ReadRequest) {
  if (request.resourceName !== "refused") return readMany(request);
  throw new StatusError(Code.NotFound, "no such");
}

async function* readMany(request: ReadRequest) {
  try {
    for (let i = 0; i < request.readLimit; i++) {
      produced++;
      yield { data: Buffer.alloc(65_536) };
    }
  } finally {
    reading--;
  }
}

async function countBytes(requests: AsyncIterable<WriteRequest>) {
  let committedSize = 0;
  for await (const { data } of requests) committedSize += data.length;
  return { committedSize };
}

function query(resourceName: string, signal?: AbortSignal) {
  return callUnary(
    client.queryWriteStatus.bind(client),
    { resourceName },
    { signal },
  );
}

describe("callUnary()", () => {
  test("callUnary() gives the answer", async () => {
    expect(await query("x")).toMatchObject({ committedSize: 7 });
  });

  test("callUnary() throws the peer's code, text and details", async () => {
    await expect(query("refused")).rejects.toMatchObject({
      name: "StatusError",
      code: Code.NotFound,
      message: "no such",
      details: [detail],
    });
    expect(unexpected).toEqual([]);
  });

  test("implementUnary() hides what was not meant for the caller", async () => {
    await expect(query("broken")).rejects.toMatchObject({
      code: Code.Internal,
      message: "Internal error",
    });
    expect(unexpected).toEqual([new TypeError("secret inside")]);
  });

  test("callUnary() ends the handler when it is cancelled", async () => {
    const controller = new AbortController();
    const answer = query("slow", controller.signal);
    setTimeout(() => controller.abort(), 20);
    await expect(answer).rejects.toMatchObject({ code: Code.Cancelled });
  });
});

describe("callServerStream()", () => {
  function read(readLimit: number) {
    const request = { resourceName: "x", readOffset: 0, readLimit };
    return callServerStream(client.read.bind(client), request);
  }

  test("callServerStream() gives all messages", async () => {
    let bytes = 0;
    for await (const { data } of read(40)) bytes += data.length;
    expect(bytes).toBe(40 * 65_536);
  });

  test("implementServerStream() stops producing when the reader leaves", async () => {
    for await (const _ of read(100_000)) break;
    const seen = produced;
    await query("x"); // one more round trip, and nothing was added
    expect(produced - seen).toBeLessThan(200);
    expect(produced).toBeLessThan(2_000);
  });
});

test("implementServerStream() tells what its handler throws at once", async () => {
  const request = { resourceName: "refused", readOffset: 0, readLimit: 0 };
  const messages = callServerStream(client.read.bind(client), request);
  await expect(messages.next()).rejects.toMatchObject({
    code: Code.NotFound,
    message: "no such",
  });
});

test("implementServerStream() ends a call whose caller takes nothing", async () => {
  reading = 1;
  // grpc-js's client takes what comes; a bare stream that nobody reads does not.
  const session = connect(`http://${server.address}`);
  const call = session.request({
    ":method": "POST",
    ":path": ByteStreamService.read.path,
    "content-type": "application/grpc",
  });
  const request = { resourceName: "x", readOffset: 0, readLimit: 100 };
  const message = ByteStreamService.read.requestSerialize(request);
  const prefix = Buffer.from([0, 0, 0, 0, message.length]);
  call.end(Buffer.concat([prefix, message]));
  while (reading > 0) await sleep(20);
  expect(produced).toBeLessThan(100);
  const trailers = once(call, "trailers");
  call.resume();
  expect((await trailers)[0]).toMatchObject({
    "grpc-status": String(Code.DeadlineExceeded),
    "grpc-message": encodeURI("The caller has taken nothing for 300 ms"),
  });
  session.destroy();
});

test("implementClientStream() reads what the client sends", async () => {
  const committed = await new Promise((resolve, reject) => {
    const call = client.write((error, response) =>
      error === null ? resolve(response.committedSize) : reject(error),
    );
    for (const finishWrite of [false, true]) {
      call.write({
        resourceName: "x",
        writeOffset: 0,
        finishWrite,
        data: Buffer.alloc(10),
      });
    }
    call.end();
  });
  expect(committed).toBe(20);
});

test("serveGrpc() answers health checks and turns them off while draining", async () => {
  const health = new HealthClient(server.address, channelCredentials());
  const check = (service: string) =>
    callUnary(health.check.bind(health), { service });
  expect(await check("")).toMatchObject({ status: 1 });
  server.setServing(false);
  expect(await check("")).toMatchObject({ status: 2 });
  await expect(check("other")).rejects.toMatchObject({ code: Code.NotFound });
  health.close();
});

test("serveGrpc() says which address it could not have", async () => {
  await expect(
    serveGrpc({ listen: server.address, services: [], sink: () => {} }),
  ).rejects.toThrow(`Failed to serve gRPC on "${server.address}"`);
});

test("stop() waits for calls under way, and ends them after its grace", async () => {
  let begun = 0;
  const answers = [
    () => sleep(200).then(() => ({ committedSize: 7, complete: true })),
    () => new Promise<never>(() => {}),
  ];
  const sink = () => {};
  const queryWriteStatus = implementUnary(
    async () => answers[begun++]?.(),
    sink,
  );
  const stopped = await serveGrpc({
    listen: "127.0.0.1:0",
    sink,
    services: [
      { definition: ByteStreamService, implementation: { queryWriteStatus } },
    ],
  });
  const caller = new ByteStreamClient(
    stopped.address,
    channelCredentials(),
    channelOptions({}),
  );
  const method = caller.queryWriteStatus.bind(caller);
  const slow = callUnary(method, { resourceName: "slow" });
  const endless = callUnary(method, { resourceName: "endless" });
  while (begun < 2) await sleep(5);
  const start = performance.now();
  const stopping = stopped.stop(500);
  await expect(endless).rejects.toThrow(StatusError);
  await stopping;
  expect(performance.now() - start).toBeGreaterThan(490);
  expect(await slow).toMatchObject({ committedSize: 7 });
  caller.close();
}, 10_000);

test("serveGrpc() takes a unix socket that a killed server left", async () => {
  const folder = await mkdtemp(join(tmpdir(), "berth-grpc-"));
  try {
    const path = join(folder, "socket");
    // Bound, and never unlinked: as after SIGKILL.
    execFileSync("python3", [
      "-c",
      "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
      path,
    ]);
    const options = { listen: `unix:${path}`, services: [], sink: () => {} };
    const second = await serveGrpc(options);
    await expect(serveGrpc(options)).rejects.toThrow("Failed to serve gRPC");
    await second.stop(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
