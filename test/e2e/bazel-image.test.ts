// Proves that what Bazel does with actions works when they run in an image:
// outputs of all kinds, failures with their output, timeouts of tests.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type BazelWorkspace,
  createBazelWorkspace,
} from "../fixtures/bazel.js";
import { type Berth, startBerth } from "../fixtures/berth.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { modes } from "../fixtures/modes.js";

describe.each(modes)("Bazel with %s", (_mode, options) => {
  let registry: ChildServer;
  let berth: Berth;
  let bazel: BazelWorkspace;
  let flags: string[];

  const build = `
genrule(
    name = "links",
    outs = ["file", "link", "tool"],
    cmd = "echo text > $(location file); ln -s file $(location link); " +
          "cp /bin/true $(location tool)",
)

genrule(
    name = "fails",
    outs = ["never"],
    cmd = "echo said on stdout; echo said on stderr >&2; exit 3",
)

sh_test(
    name = "hangs",
    srcs = ["hangs.sh"],
    timeout = "short",
)

load(":tree.bzl", "tree")

tree(name = "tree")
`;

  // The directory is never made by the action: Bazel has it made.
  const treeRule = `
def _tree(ctx):
    tree = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        outputs = [tree],
        command = "echo leaf > $1/leaf",
        arguments = [tree.path],
    )
    return [DefaultInfo(files = depset([tree]))]

tree = rule(implementation = _tree)
`;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    const { pinned } = pushDemoImage(registry.host);
    berth = await startBerth(...options);
    bazel = await createBazelWorkspace({
      BUILD: build,
      "tree.bzl": treeRule,
      "hangs.sh": "#!/bin/bash\necho before the end\nsleep 600\n",
    });
    flags = [
      `--remote_executor=grpc://${berth.address}`,
      `--remote_default_exec_properties=container-image=${pinned}`,
      "--spawn_strategy=remote",
      "--genrule_strategy=remote",
      "--strategy=TestRunner=remote",
    ];
  }, 300_000);

  afterAll(async () => {
    await bazel.stop();
    await berth.stop();
    await registry.stop();
  });

  test("files, links and executable bits come back to Bazel", async () => {
    const { status, stderr } = await bazel.run("build", "//:links", ...flags);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.anything(),
    });
    const out = join(bazel.folder, "bazel-bin");
    expect(readFileSync(join(out, "file"), "utf8")).toBe("text\n");
    expect(readlinkSync(join(out, "link"))).toBe("file");
    expect(lstatSync(join(out, "tool")).mode & 0o111).not.toBe(0);
  }, 120_000);

  test("a declared directory is there when its action starts", async () => {
    const { status, stderr } = await bazel.run("build", "//:tree", ...flags);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.anything(),
    });
    const tree = join(bazel.folder, "bazel-bin/tree");
    expect(readdirSync(tree)).toEqual(["leaf"]);
    expect(readFileSync(join(tree, "leaf"), "utf8")).toBe("leaf\n");
  }, 120_000);

  test("a failing action is Bazel's to show, with its output", async () => {
    const { status, stderr } = await bazel.run("build", "//:fails", ...flags);
    expect(status).toBe(1);
    expect(stderr).toMatch(/failed: \(Exit 3\)/);
    expect(stderr).toContain("said on stdout");
    expect(stderr).toContain("said on stderr");
    expect(stderr).not.toContain("berth-exec");
  }, 120_000);

  test("a test that hangs ends at its timeout, with what it said", async () => {
    const { stdout, stderr } = await bazel.run(
      "test",
      ...["//:hangs", "--test_timeout=3", "--test_output=all", ...flags],
    );
    expect(`${stdout}${stderr}`).toMatch(/TIMEOUT/);
    expect(`${stdout}${stderr}`).toContain("before the end");
  }, 120_000);
});
