// Proves that no action changes a blob, its neighbours or what we remove.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { BatchReadBlobsRequest } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { createGrpcCasClients } from "../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { callUnary } from "../../lib/grpc/index.js";
import { Code } from "../../lib/status/index.js";
import { EngineScenario, shell } from "./testing/engine-scenario.js";

const context = { instanceName: parseInstanceName("") };
let scenario: EngineScenario;

beforeEach(async () => {
  scenario = await EngineScenario.start();
});
afterEach(async () => {
  await scenario.stop();
  expect(scenario.unexpected).toEqual([]);
});

/** All blobs on disk with what an action could have changed. */
function auditBlobs() {
  const blobs = join(scenario.directory, "state/cas/blobs");
  const paths = readdirSync(blobs, { recursive: true, encoding: "utf8" });
  for (const path of paths.filter((each) => each.includes("/"))) {
    const file = join(blobs, path);
    const { mode, mtimeMs } = lstatSync(file);
    const [, key = ""] = path.split("/");
    expect({
      key: Digest.of(readFileSync(file)).key,
      mode: mode & 0o7777,
      mtimeMs,
    }).toEqual({
      key: key.replace(/\.x$/, ""),
      mode: key.endsWith(".x") ? 0o555 : 0o444,
      mtimeMs: Date.UTC(2000, 0, 1),
    });
  }
  return paths.length;
}

const inputs = {
  "in/data": "the content",
  "in/tool": { program: "#!/bin/sh\necho tool" },
  other: "other",
};

describe("a hostile action", () => {
  test.each([
    ["writes to inputs", "echo x > in/data; echo x >> in/tool"],
    ["changes their mode", "chmod 777 in/* other; echo x > in/data"],
    ["changes their times", "touch in/data in/tool; touch -d @1 other"],
    ["changes their owner", "chown 0 in/data; chown $(id -u) in/tool"],
    [
      "truncates them",
      ": > other; truncate -s 0 in/data; truncate -s 9G other",
    ],
    [
      "renames and replaces them",
      "mv in/data x; cp x y; mv y in/data; mv in z",
    ],
    ["removes them", "rm -rf in other"],
    [
      "writes through new links",
      "ln in/data l; chmod u+w l; echo x > l; ln -s in/data s; echo x > s",
    ],
    [
      "writes through descriptors",
      "exec 5<in/data; echo x > /proc/self/fd/5; chmod 777 /proc/self/fd/5",
    ],
    ["sets attributes", "setfattr -n user.x -v y in/data; chattr +i other"],
  ])("a hostile action that %s leaves blobs as they are", async (_, script) => {
    await scenario.run({
      command: shell(`{ ${script}; } 2>&1; true`, {
        outputPaths: ["in", "other", "l", "x", "z"],
      }),
      inputs,
    });
    expect(auditBlobs()).toBeGreaterThan(3);
    const seen = await scenario.run({
      command: shell("cat in/data other; in/tool; ls in"),
      inputs,
    });
    expect(await scenario.text(seen, "stdout")).toBe(
      "the contentothertool\ndata\ntool\n",
    );
  });

  test("a hostile action cannot write to its output after its end", async () => {
    const seen = await scenario.run({
      command: shell(
        `head -c 1000000 /dev/zero > big; echo small > small
         setsid sh -c 'exec 8>>big 9>>small
           while :; do echo x >&8; echo x >&9; chmod 777 big; done' &
         sleep 0.2`,
        { outputPaths: ["big", "small"] },
      ),
    });
    for (const { digest } of seen.response.result?.outputFiles ?? []) {
      await scenario.cas.read(Digest.fromProto(digest, "digest"), context);
    }
    expect(seen.response.result?.outputFiles).toHaveLength(2);
    auditBlobs();
  });

  test("a hostile action cannot lead our removal out of its directory", async () => {
    const victim = join(scenario.directory, "state");
    const before = readdirSync(victim, { recursive: true }).length;
    await scenario.run({
      command: shell(
        `ln -s ${victim} link; mkdir -p d/e/f; ln -s ../../../../../state d/e/up
         chmod 0 d/e; mkdir "$(printf '\\377bytes')"; ln -s / "$(printf '\\377x')"`,
      ),
    });
    const build = join(scenario.directory, "build");
    await until(() => readdirSync(build).length === 0);
    expect(
      readdirSync(victim, { recursive: true }).length,
    ).toBeGreaterThanOrEqual(before);
    auditBlobs();
  });

  test("a hostile action cannot outgrow our removal", async () => {
    await scenario.run({
      command: shell(
        `name=$(printf 'd%.0s' $(seq 200)); chmod 700 .
         for i in $(seq 60); do mkdir $name && cd -P $name && echo x > file; done`,
      ),
    });
    const build = join(scenario.directory, "build");
    await until(() => readdirSync(build).length === 0);
  });

  test("a hostile action whose outputs have too long paths is refused", async () => {
    const { response } = await scenario.run({
      command: shell(
        `mkdir o; cd o; name=$(printf 'd%.0s' $(seq 200))
         for i in $(seq 60); do mkdir $name && cd -P $name; done`,
        { outputPaths: ["o"] },
      ),
    });
    expect(response.status).toMatchObject({
      code: Code.InvalidArgument,
      message: "Outputs must have paths of at most 4000 bytes",
    });
  });

  test("a hostile action's file of holes is refused unread", async () => {
    const { response } = await scenario.run({
      command: shell("truncate -s 9T o", { outputPaths: ["o"] }),
    });
    expect(response.status).toMatchObject({
      // Not what clients try again.
      code: Code.InvalidArgument,
      message: "Outputs must hold at most 21474836480 bytes",
    });
  });

  test("a hostile action's file of holes is given up with its client", async () => {
    const leaving = AbortSignal.timeout(500);
    const command = shell("truncate -s 19G o", { outputPaths: ["o"] });
    const digest = await scenario.upload({ command });
    await expect(scenario.execute(digest, {}, leaving)).rejects.toThrow();
    const startMs = performance.now();
    const next = await scenario.run({ command: shell("true") });
    expect(next.response.result?.exitCode).toBe(0);
    await until(
      () => readdirSync(join(scenario.directory, "build")).length === 0,
    );
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });

  test("a hostile action shows no other user what it makes", async () => {
    // In the helper it may be ours, and with the setuid bit.
    const seen = await scenario.run({
      command: shell("stat -c %a:%g ..; id -g"),
    });
    const [mode, group] = (await scenario.text(seen, "stdout")).split("\n");
    const isRoot = process.getuid?.() === 0;
    expect(mode).toMatch(isRoot ? `710:${group}` : /^700:/);
  });

  test("a hostile action does not see what others run in", async () => {
    const seen = await scenario.run({
      command: shell("ls ../.. 2>&1; ls .. 2>&1; cat ../stdout 2>&1; true"),
    });
    expect(await scenario.text(seen, "stdout")).not.toMatch(/^root$/m);
  });

  test("a tree of shared Directories that unfolds without end is refused", async () => {
    let digest = await scenario.uploadTree({ a: "x", b: "y" });
    for (let level = 0; level < 25; level++) {
      digest = await scenario.uploadTwice(digest);
    }
    const { response } = await scenario.run({
      command: shell("true"),
      action: { inputRootDigest: digest.toProto() },
    });
    expect(response.status).toMatchObject({
      message:
        "Input root must hold at most 2000000 entries and paths of at most 3500 bytes",
    });
  });
});

describe("a hostile client", () => {
  test("a hostile client gets no more in a batch than fits one", async () => {
    const digest = (
      await scenario.cas.write(Buffer.alloc(3 * 2 ** 20), context)
    ).toProto();
    const clients = createGrpcCasClients({ address: scenario.address });
    const request = BatchReadBlobsRequest.fromPartial({
      digests: [
        digest,
        digest,
        { hash: "0".repeat(64), sizeBytes: -(2 ** 40) },
      ],
    });
    const { cas } = clients;
    await expect(
      callUnary(cas.batchReadBlobs.bind(cas), request),
    ).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
    clients.close();
  });

  test.each([
    ["a working directory", { workingDirectory: "w".repeat(256) }, {}],
    ["an output path", { outputPaths: ["o/".repeat(2_000)] }, {}],
    ["a symlink", {}, { l: { symlink: "t/".repeat(2_100) } }],
  ])(
    "a hostile client is refused %s that no kernel takes",
    async (_, command, inputs) => {
      const { response } = await scenario.run({
        command: shell("true", command),
        inputs,
      });
      expect(response.status).toMatchObject({ code: Code.InvalidArgument });
    },
  );
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
