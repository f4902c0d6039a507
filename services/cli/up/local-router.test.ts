import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { LocalSettings } from "./local-configuration.js";
import { pullsFromRegistry, readLocalRegistries } from "./local-router.js";
import { writeConfigurations } from "./write-configuration-files.js";

const installation = {
  helper: "/helper",
  engine: "/engine",
  router: "/router",
  rootFetcher: "/root-fetcher",
  workflow: "/workflow",
};
let state: string;

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "berth-local-"));
});
afterEach(() => rm(state, { recursive: true }));

function settings(source: "registry" | "cas"): LocalSettings {
  return {
    state,
    listen: "127.0.0.1:8980",
    jobsListen: "127.0.0.1:3000",
    isRoot: false,
    cacheSize: "1GiB",
    rootsSize: "1GiB",
    mode: "bind_mount",
    source,
    tags: "reject",
    noImage: "sandbox",
    network: "host",
    registries: [],
    plainRegistries: [],
    mirrors: [{ of: "hub.test", mirror: "cache.test" }],
    logLevel: "info",
  };
}

test.each(["registry", "cas"] as const)(
  "commands know what a berth up with source %s was told",
  async (source) => {
    await writeConfigurations(settings(source), installation);
    expect(await pullsFromRegistry(state)).toBe(source === "registry");
    expect(await readLocalRegistries(state)).toEqual({
      "hub.test": { realmHosts: [], mirrors: ["cache.test"] },
    });
  },
);

test("commands know nothing where berth up was never started", async () => {
  expect(await pullsFromRegistry(state)).toBe(false);
  expect(await readLocalRegistries(state)).toEqual({});
});
