import { beforeAll, describe, expect, test } from "@jest/globals";
import { storeTree } from "../../test/fixtures/cas-tree.js";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { type Digest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import { resolveTreePath } from "./index.js";

const context = { instanceName: parseInstanceName("") };
const cas = new InMemoryContentAddressableStorage({
  maximumSizeBytes: 2 ** 26,
});
let root: Digest;

beforeAll(async () => {
  root = await storeTree(cas, {
    bin: "-> usr/bin",
    usr: {
      bin: { sh: "-> ../../bin/dash", dash: "#!" },
      lib: "-> /usr/../../usr/lib64/.",
      lib64: { x: "1" },
    },
    loop: "-> /loop2",
    loop2: "-> loop",
    out: "-> ../../../etc",
  });
});

const resolve = (path: string) => resolveTreePath(cas, root, { path, context });

describe("resolveTreePath()", () => {
  test.each([
    ["", "directory", ""],
    ["/", "directory", ""],
    ["//usr/./bin/", "directory", "usr/bin"],
    ["bin/dash", "file", "usr/bin/dash"],
    ["/bin/sh", "file", "usr/bin/dash"],
    ["usr/lib", "directory", "usr/lib64"],
    ["usr/lib/../bin/../../../usr/lib/x", "file", "usr/lib64/x"],
  ])("resolveTreePath() finds %j", async (path, type, found) => {
    expect(await resolve(path)).toMatchObject({ path: found, node: { type } });
  });

  test.each([
    [
      "usr/none/x",
      Code.NotFound,
      '"usr/none/x" is not in the image: there is no "/usr/none"',
    ],
    ["out", Code.NotFound, '"out" is not in the image: there is no "/etc"'],
    [
      "bin/sh/..",
      Code.FailedPrecondition,
      '"bin/sh/.." leads through "/usr/bin/dash", which is no directory',
    ],
    ["loop", Code.FailedPrecondition, '"loop" leads through too many links'],
  ])("resolveTreePath() refuses %j", async (path, code, message) => {
    await expect(resolve(path)).rejects.toMatchObject({ code, message });
  });
});
