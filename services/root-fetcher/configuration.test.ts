import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Code } from "../../lib/status/index.js";
import { readRootFetcherConfiguration } from "./configuration.js";

let path: string;

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "berth-configuration-"));
  path = join(folder, "root-fetcher.yaml");
});

afterEach(() => rmSync(join(path, ".."), { recursive: true }));

const least = [
  "store: /var/lib/berth/store",
  "helper: /usr/bin/berth-exec",
  "socket: /run/berth/root-fetcher.sock",
];

function read(...lines: string[]) {
  writeFileSync(path, [...least, ...lines].join("\n"));
  return readRootFetcherConfiguration(path);
}

describe("readRootFetcherConfiguration()", () => {
  test("readRootFetcherConfiguration() fills in the defaults", async () => {
    expect(await read("platform: linux/arm64")).toEqual({
      store: "/var/lib/berth/store",
      helper: "/usr/bin/berth-exec",
      socket: "/run/berth/root-fetcher.sock",
      socketMode: 0o660,
      maximumSize: 100 * 2 ** 30,
      maximumInodes: 10_000_000,
      minimumFree: 2 ** 30,
      maximumConnections: 1024,
      idleTimeout: 30_000,
      maximumPulls: 16,
      registries: {},
      platform: { os: "linux", architecture: "arm64", variant: undefined },
      prefetch: [],
      log: { level: "info" },
    });
  });

  test("readRootFetcherConfiguration() reads where trees are", async () => {
    const { cas } = await read("cas: {address: cas.test:8980}");
    expect(cas).toEqual({ address: "cas.test:8980", instanceName: "" });
    await expect(
      read("cas: {address: cas.test, instanceName: a}"),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining('must be "host:port" or "unix:/path"'),
    });
    await expect(
      read("cas: {address: cas.test:1, instanceName: a/../b}"),
    ).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test("readRootFetcherConfiguration() reads sizes, times, modes and registries", async () => {
    const configuration = await read(
      "maximumSize: 5GiB",
      "idleTimeout: 2m",
      'socketMode: "0666"',
      "registries: {localhost:5000: {plainHttp: true}}",
    );
    expect(configuration).toMatchObject({
      ...{ maximumSize: 5 * 2 ** 30, idleTimeout: 120_000, socketMode: 0o666 },
      registries: {
        "localhost:5000": { plainHttp: true, realmHosts: [], mirrors: [] },
      },
    });
  });

  test.each([
    ["storage: /x", `4:1: "storage": there is no such field`],
    ["socketMode: 660", `4:1: "socketMode": must be a text`],
    [
      "socketMode: rw",
      `4:1: "socketMode": must be permission bits in octal, such as "0660"`,
    ],
    ["sandboxUid: -1", `4:1: "sandboxUid": must be at least 0`],
    ["maximumPulls: 0", `4:1: "maximumPulls": must be more than 0`],
  ])("readRootFetcherConfiguration() refuses %j", async (line, text) => {
    await expect(read(line)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `${path}:${text}`,
    });
  });
});
