// Proves that a build goes on by itself when CAS loses blobs of an image in
// its midst: they are imported again, and the client notices nothing.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { Code } from "../../lib/status/index.js";
import {
  type BazelWorkspace,
  createBazelWorkspace,
} from "../fixtures/bazel.js";
import { type Berth, runProgram, startBerth } from "../fixtures/berth.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { projectFolder } from "../fixtures/project-folder.js";

let registry: ChildServer;
let image: PushedImage;
let berth: Berth;
let bazel: BazelWorkspace;

// The second action waits for the first, in whose time something happens.
const build = `
genrule(
    name = "first",
    outs = ["first.txt"],
    cmd = "sleep 4; echo $$RANDOM$$RANDOM > $@",
)

genrule(
    name = "second",
    srcs = ["first.txt"],
    outs = ["second.txt"],
    cmd = "cat /etc/os-release > $@",
)
`;

beforeAll(async () => {
  registry = await startDockerRegistry();
  image = pushDemoImage(registry.host);
  berth = await startBerth("--mode", "inline");
  bazel = await createBazelWorkspace({ BUILD: build });
  // Has the image imported.
  const { status } = await berth.run(image.pinned, "--", "true");
  expect(status).toBe(0);
}, 300_000);

afterAll(async () => {
  await bazel.stop();
  await berth.stop();
  await registry.stop();
});

/** Builds, and does something while the first action runs. */
async function buildWhile(happening: () => Promise<void>): Promise<void> {
  await bazel.run("clean");
  const building = bazel.run(
    ...(["build", "//:second"] as const),
    `--remote_executor=grpc://${berth.address}`,
    `--remote_default_exec_properties=container-image=${image.pinned}`,
    ...["--spawn_strategy=remote", "--genrule_strategy=remote"],
    ...["--noremote_accept_cached", "--verbose_failures"],
  );
  while (!isRunning("sleep 4")) await sleep(50);
  await happening();
  const { status, stderr } = await building;
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.anything() });
  const text = readFileSync(join(bazel.folder, "bazel-bin/second.txt"), "utf8");
  expect(text).toContain("trixie");
}

function isRunning(command: string): boolean {
  return execFileSync("ps", ["-e", "-o", "args="], { encoding: "utf8" })
    .split("\n")
    .some((line) => line === command);
}

/** The files of a blob in the engine's store: with its executable twin. */
function removeBlob(hash: string): void {
  const folder = join(berth.state, "engine/cas/blobs", hash.slice(0, 2));
  const names = readdirSync(folder).filter((name) => name.startsWith(hash));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) rmSync(join(folder, name));
}

function blobExists(hash: string): boolean {
  const folder = join(berth.state, "engine/cas/blobs", hash.slice(0, 2));
  return readdirSync(folder).some((name) => name.startsWith(hash));
}

/** What `berth image ls --json` says of files and directories. */
interface Entry {
  readonly path: string;
  readonly sha256?: string;
  readonly size?: number;
  readonly digest?: string;
}

/** `berth image` with the engine's CAS. */
function berthImage(command: string, ...args: string[]) {
  return runProgram(`${projectFolder}/bin/berth`, [
    ...["image", command, "--json", "--cas", berth.address],
    ...["--state", berth.state, ...args],
  ]);
}

/** Reads a blob as clients do: that is when the engine notices its loss. */
async function readBlob(digest: Digest): Promise<void> {
  const clients = createGrpcCasClients({ address: berth.address });
  const cas = new GrpcContentAddressableStorage(clients);
  const instanceName = parseInstanceName("");
  try {
    for await (const _ of cas.open(digest, { instanceName }));
  } finally {
    clients.close();
  }
}

/** All that the image has. */
async function listImage(): Promise<Entry[]> {
  const { status, stdout } = await berthImage("ls", "-R", image.pinned);
  expect(status).toBe(0);
  const lines = stdout.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Entry);
}

test("a build goes on when a file of its image is lost", async () => {
  const entries = await listImage();
  const found = entries.find(({ path }) => path === "/usr/bin/bash");
  const { sha256 = "", size = 0 } = found ?? {};
  const digest = Digest.create(sha256, size);
  await buildWhile(async () => {
    removeBlob(sha256);
    await expect(readBlob(digest)).rejects.toMatchObject({
      code: Code.NotFound,
    });
  });
  expect(blobExists(sha256)).toBe(true);
}, 120_000);

test("a build goes on when a Directory of its image is lost", async () => {
  const sizeOf = (digest: string) => Number(digest.split("/")[1]);
  const [digest = ""] = (await listImage())
    .flatMap((entry) => entry.digest ?? [])
    .sort((a, b) => sizeOf(b) - sizeOf(a));
  // Too large to be kept in memory: the engine notices when it is read.
  expect(sizeOf(digest)).toBeGreaterThan(32 * 1024);
  const [hash = ""] = digest.split("/");
  await buildWhile(async () => {
    removeBlob(hash);
    const { stderr } = await berthImage("ls", `cas://${digest}`);
    expect(stderr).toContain("not found");
  });
  expect(blobExists(hash)).toBe(true);
}, 120_000);
