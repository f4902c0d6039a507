import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import type { WriteRequest } from "#proto/google/bytestream/bytestream.js";
import {
  createGrpcCasClients,
  FileContentAddressableStorage,
} from "../cas/index.js";
import { Digest } from "../digest/index.js";
import { serveGrpc } from "../grpc/index.js";
import { Code } from "../status/index.js";
import { createCasServices } from "./index.js";

const data = Buffer.alloc(200_000, "x");
const digest = Digest.of(data);
const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A store on disk whose uploads may be silent for so long. */
async function setup(uploadIdleMs: number) {
  const directory = mkdtempSync(join(tmpdir(), "berth-upload-"));
  stops.push(() => rmSync(directory, { recursive: true }));
  const cas = new FileContentAddressableStorage({
    directory,
    maximumSizeBytes: 2 ** 30,
  });
  const sink = () => {};
  const services = createCasServices({ cas, uploadIdleMs, sink });
  const server = await serveGrpc({ listen: "127.0.0.1:0", services, sink });
  stops.push(() => server.stop(0));
  const clients = createGrpcCasClients({ address: server.address });
  stops.push(() => clients.close());
  return {
    cas,
    temporaryFiles: () => readdirSync(join(directory, "tmp")),
    open: () => {
      let end: (code: Code) => void = () => {};
      const ended = new Promise<Code>((resolve) => {
        end = resolve;
      });
      const call = clients.byteStream.write((error) => end(error?.code ?? 0));
      return { call, ended };
    },
  };
}

function piece(from: number, to: number): WriteRequest {
  return {
    resourceName: `uploads/4a0a52e9-1c7b-4a7e-9b1d-6d6d1d3a4f10/blobs/${digest}`,
    writeOffset: from,
    finishWrite: to === data.byteLength,
    data: data.subarray(from, to),
  };
}

test("ByteStream.Write ends an upload that falls silent, and leaves no file", async () => {
  const { open, temporaryFiles } = await setup(200);
  const { call, ended } = open();
  call.write(piece(0, 100_000));
  while (temporaryFiles().length === 0) await sleep(5);
  expect(await ended).toBe(Code.DeadlineExceeded);
  expect(temporaryFiles()).toEqual([]);
});

test("ByteStream.Write ends an upload that never begins", async () => {
  const { open } = await setup(50);
  expect(await open().ended).toBe(Code.DeadlineExceeded);
});

test("ByteStream.Write takes an upload that is slow but not silent", async () => {
  const { open, cas } = await setup(1_000);
  const { call, ended } = open();
  for (let at = 0; at < data.byteLength; at += 20_000) {
    call.write(piece(at, at + 20_000));
    await sleep(150); // together more than the silence that is allowed
  }
  expect(await ended).toBe(Code.Ok);
  expect(await cas.findMissing([digest])).toEqual([]);
});
