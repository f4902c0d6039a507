// Proves that a real Bazel builds on the engine alone: no router, no image.
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { EngineScenario } from "../../services/engine/testing/engine-scenario.js";
import {
  type BazelWorkspace,
  createBazelWorkspace,
} from "../fixtures/bazel.js";

const build = `
genrule(name = "one", outs = ["one.txt"], cmd = "echo one > $@; id -u >&2")
genrule(name = "two", srcs = [":one"], outs = ["two.txt"],
        cmd = "cat $< $< > $@")
genrule(name = "tool", outs = ["tool.sh"], executable = True,
        cmd = "printf '#!/bin/sh\\\\necho made > $$1' > $@; chmod +x $@")
genrule(name = "made", outs = ["made.txt"], exec_tools = [":tool"],
        cmd = "$(execpath :tool) $@")
genrule(name = "fails", outs = ["never"], cmd = "echo the reason; exit 3")
genrule(name = "absent", outs = ["absent.txt"], cmd = "true")
genrule(name = "picky", outs = ["picky.txt"], cmd = "echo x > $@",
        exec_properties = {"Pool": "big"})
[genrule(name = "many-%d" % i, outs = ["many-%d.txt" % i],
         cmd = "echo %d > $@" % i) for i in range(100)]
sh_test(name = "passes", srcs = ["passes.sh"])
sh_test(name = "slow", srcs = ["slow.sh"])
`;

let workspace: BazelWorkspace;
let scenario: EngineScenario;

beforeAll(async () => {
  scenario = await EngineScenario.start();
  workspace = await createBazelWorkspace({
    BUILD: build,
    "passes.sh": "#!/bin/sh\ntest -n $TEST_TMPDIR && echo tested\n",
    "slow.sh": "#!/bin/sh\necho begun; sleep 100\n",
  });
  for (const name of ["passes.sh", "slow.sh"]) {
    await chmod(join(workspace.folder, name), 0o755);
  }
}, 120_000);

afterAll(async () => {
  await workspace.stop();
  await scenario.stop();
  expect(scenario.unexpected).toEqual([]);
}, 60_000);

function bazel(command: string, ...args: string[]) {
  return workspace.run(
    command,
    `--remote_executor=grpc://${scenario.address}`,
    "--spawn_strategy=remote",
    "--genrule_strategy=remote",
    "--strategy=TestRunner=remote",
    ...args,
  );
}

function output(name: string): Promise<string> {
  return readFile(join(workspace.folder, "bazel-bin", name), "utf8");
}

describe("Bazel on the engine", () => {
  test("Bazel builds what depends on other outputs and on tools", async () => {
    const { status, stderr } = await bazel("build", ":two", ":made");
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/processes: .*4 remote/),
    });
    expect(await output("two.txt")).toBe("one\none\n");
    expect(await output("made.txt")).toBe("made\n");
    expect(stderr).not.toMatch(/^0$/m); // no command ran as root
  }, 240_000);

  test("Bazel builds again from the cache alone", async () => {
    await workspace.run("clean");
    const { status, stderr } = await bazel("build", ":two", ":made");
    expect(status).toBe(0);
    expect(stderr).toMatch(/4 remote cache hit/);
  }, 120_000);

  test("Bazel builds many at a time, without the bytes where it may", async () => {
    const { status, stderr } = await bazel(
      "build",
      ...Array.from({ length: 100 }, (_, i) => `:many-${i}`),
      "--jobs=32",
      "--remote_download_minimal",
    );
    expect(status).toBe(0);
    expect(stderr).toMatch(/100 remote\./);
  }, 120_000);

  test("Bazel shows why an action failed", async () => {
    const failed = await bazel("build", ":fails");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(
      /Executing genrule \/\/:fails failed: \(Exit 3\)/,
    );
    expect(failed.stdout + failed.stderr).toContain("the reason\n");
    const absent = await bazel("build", ":absent");
    expect(absent.stderr).toMatch(/output 'absent.txt' was not created/);
  }, 120_000);

  test("Bazel is told at once which property no worker has", async () => {
    const { status, stderr } = await bazel("build", ":picky");
    expect(status).not.toBe(0);
    expect(stderr).toContain(
      'No worker has platform property "Pool" with value "big": the worker has no properties',
    );
  }, 120_000);

  test("Bazel tests pass, and end in time", async () => {
    const passes = await bazel("test", ":passes", "--test_output=all");
    expect(passes).toMatchObject({ status: 0 });
    expect(passes.stdout).toContain("tested");
    const slow = await bazel("test", ":slow", "--test_timeout=1");
    expect(slow.status).toBe(3);
    expect(slow.stdout).toMatch(/\/\/:slow .*TIMEOUT/);
  }, 240_000);
});
