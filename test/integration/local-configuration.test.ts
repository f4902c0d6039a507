// Proves that each service takes the file that `berth up` writes for it.
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findInstallation } from "../../services/cli/up/installation-process.js";
import {
  localConfiguration,
  localPaths,
} from "../../services/cli/up/local-configuration.js";
import { runProgram } from "../fixtures/berth.js";

const installation = findInstallation();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-local-"));
  const { recordKey } = localPaths(folder);
  await mkdir(dirname(recordKey));
  await writeFile(recordKey, randomBytes(32));
});
afterAll(() => rm(folder, { recursive: true }));

function configuration(isRoot: boolean) {
  return localConfiguration(
    {
      state: folder,
      listen: "127.0.0.1:0",
      jobsListen: "127.0.0.1:3000",
      isRoot,
      jobs: 3,
      cacheSize: "1GiB",
      rootsSize: "2GiB",
      mode: "bind_mount",
      source: "cas",
      tags: "resolve",
      noImage: "pass",
      network: "none",
      registries: ["private.test"],
      plainRegistries: ["registry.test:5000"],
      mirrors: [{ of: "docker.io", mirror: "registry.test:5000" }],
      logLevel: "debug",
    },
    installation,
  );
}

test.each([
  ["engine", true],
  ["router", true],
  ["rootFetcher", true],
  ["workflow", true],
  ["engine", false],
  ["router", false],
  ["rootFetcher", false],
] as const)(
  "%s takes what berth up writes (as root: %s)",
  async (name, isRoot) => {
    const file = join(folder, `${name}.json`);
    await writeFile(file, JSON.stringify(configuration(isRoot)[name]));
    const result = await runProgram(process.execPath, [
      ...["--no-warnings", installation[name]],
      ...[`--config=${file}`, "--check-config"],
    ]);
    expect(result).toMatchObject({ status: 0, stderr: "" });
  },
);

test("berth-exec takes what berth up writes", async () => {
  const file = join(folder, "exec.toml");
  await writeFile(file, configuration(true).helper);
  const { stderr } = await runProgram(installation.helper, [
    ...["--check", `--config=${file}`],
  ]);
  expect(stderr).not.toContain("exec.toml");
});
