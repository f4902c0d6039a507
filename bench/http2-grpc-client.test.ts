import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthService,
} from "#proto/grpc/health/v1/health.js";
import { type GrpcServer, serveGrpc } from "../lib/grpc/index.js";
import {
  createRawGrpcClient,
  type RawGrpcClient,
} from "./http2-grpc-client.js";

let server: GrpcServer;
let client: RawGrpcClient;

beforeEach(async () => {
  server = await serveGrpc({
    listen: "127.0.0.1:0",
    services: [],
    sink: () => {},
  });
  client = createRawGrpcClient(server.address, HealthService.check.path);
});

afterEach(async () => {
  client.close();
  await server.stop(0);
});

function check(service: string, padding = 0): Buffer {
  const known = HealthCheckRequest.encode({ service }).finish();
  // Field 15, of which the server knows nothing.
  const unknown = Buffer.alloc(padding + 3);
  unknown.set([0x7a, 0x80 | (padding & 0x7f), padding >> 7]);
  return Buffer.concat(padding === 0 ? [known] : [known, unknown]);
}

test("RawGrpcClient gives each of many calls its answer, beyond the first window", async () => {
  const request = check("", 1_000);
  const answers = await Promise.all(
    Array.from({ length: 500 }, () => client.call(request)),
  );
  const serving = HealthCheckResponse.encode({ status: 1 }).finish();
  expect(answers).toEqual(answers.map(() => Buffer.from(serving)));
});

test("RawGrpcClient throws for a call that is refused, and makes the next", async () => {
  await expect(client.call(check("unknown"))).rejects.toThrow(
    "The call ended without an answer",
  );
  expect(await client.call(check(""))).toHaveLength(2);
});

test("RawGrpcClient throws for the calls of a server that went", async () => {
  await client.call(check(""));
  await server.stop(0);
  await expect(client.call(check(""))).rejects.toThrow(/ends|ended|reset/);
});
