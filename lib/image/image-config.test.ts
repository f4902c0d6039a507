import { describe, expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { parseImageConfig } from "./index.js";

const diffId = `sha256:${"cd".repeat(32)}`;
const plain = {
  os: "linux",
  architecture: "amd64",
  rootfs: { type: "layers", diff_ids: [diffId] },
};

function parse(value: unknown) {
  return parseImageConfig(Buffer.from(JSON.stringify(value)));
}

describe("parseImageConfig()", () => {
  test("parseImageConfig() reads what matters for running", () => {
    const config = {
      Env: ["PATH=/bin", "A=b=c", "PATH=/usr/bin", "EMPTY="],
      Entrypoint: ["/init"],
      Cmd: ["sh", "-c", ""],
      User: "build:100",
      WorkingDir: "/src",
      Labels: { Vendor: "a", vendor: "b" },
    };
    expect(parse({ ...plain, config, variant: "v2" })).toEqual({
      platform: { os: "linux", architecture: "amd64", variant: "v2" },
      diffIds: [diffId],
      env: [
        { name: "PATH", value: "/bin" },
        { name: "A", value: "b=c" },
        { name: "PATH", value: "/usr/bin" },
        { name: "EMPTY", value: "" },
      ],
      entrypoint: ["/init"],
      cmd: ["sh", "-c", ""],
      user: "build:100",
      workingDirectory: "/src",
    });
  });

  test("parseImageConfig() takes what is absent or null for empty", () => {
    const config = { Env: null, Cmd: null, User: null };
    for (const value of [plain, { ...plain, config }]) {
      expect(parse(value)).toMatchObject({
        env: [],
        entrypoint: [],
        cmd: [],
        user: "",
        workingDirectory: "",
      });
    }
  });

  test.each([
    [
      { ...plain, rootfs: undefined },
      "rootfs of image config must be an object: current value is undefined",
    ],
    [
      { ...plain, rootfs: { type: "tree", diff_ids: [] } },
      '"type" of rootfs of image config must be "layers": current value is "tree"',
    ],
    [
      { ...plain, rootfs: { type: "layers", diff_ids: ["sha256:x"] } },
      'Diff ID 0 of image config must be "sha256:" and 64 lower-case hexadecimal digits: current value is "sha256:x"',
    ],
    [
      { ...plain, config: { Env: ["NOVALUE"] } },
      '"Env" of image config must consist of NAME=VALUE: current value is "NOVALUE"',
    ],
    [
      { ...plain, config: { Env: ["A=b\0c"] } },
      'Image config must not hold NUL characters: current value is "A=b\\u0000c"',
    ],
    [
      { ...plain, config: { Cmd: "sh" } },
      '"Cmd" of "config" of image must be a list: current value is "sh"',
    ],
    [
      { ...plain, config: { Entrypoint: [1] } },
      '"Entrypoint" of "config" of image must be a list of strings: current value is 1',
    ],
    [
      { ...plain, Rootfs: {} },
      'Image config must spell the key "rootfs" so: current value is "Rootfs"',
    ],
  ])("parseImageConfig() refuses %j", (value, message) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument, message }),
    );
  });

  test("parseImageConfig() bounds the variables together", () => {
    const variables = (bytes: number) => {
      const second = `B=${"y".repeat(bytes - 100_003)}`;
      return { ...plain, config: { Env: [`A=${"x".repeat(99_997)}`, second] } };
    };
    expect(parse(variables(131_071)).env.length).toBe(2);
    expect(() => parse(variables(131_072))).toThrow(
      expect.objectContaining({
        code: Code.ResourceExhausted,
        message:
          '"Env" of image config must have at most 131071 bytes in all: current value has 131072',
      }),
    );
  });
});
