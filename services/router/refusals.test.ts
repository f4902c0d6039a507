// What the router answers to wrong requests and to a wrong CAS.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  Action,
  DigestFunction_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../../lib/digest/index.js";
import { Code, codeName } from "../../lib/status/index.js";
import type { ChildServer } from "../../test/fixtures/child-server.js";
import { startDockerRegistry } from "../../test/fixtures/docker-registry.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../test/fixtures/test-image.js";
import {
  type RouterScenario,
  startRouterScenario,
} from "./testing/router-scenario.js";

const image = buildTestImage();
let registry: ChildServer;
let scenario: RouterScenario;
let asked: { "container-image": string };
beforeAll(async () => {
  registry = await startDockerRegistry();
  await pushTestImage(registry.host, "tool", { image });
  asked = { "container-image": `${registry.host}/tool@${image.digest}` };
  scenario = await startRouterScenario();
});
afterAll(async () => {
  await scenario.stop();
  await registry.stop();
});

/** Code and text of a refusal; what is answered otherwise. */
async function refusal(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    const { code, message } = error as { code: Code; message: string };
    return `${codeName(code)}: ${message}`;
  }
}

const digest = Digest.of(Buffer.from("x")).toProto();

describe("the router refuses", () => {
  test.each<[string, Partial<Action> | undefined, string]>([
    ["no action", undefined, "No action given"],
    [
      "no command digest",
      { commandDigest: undefined },
      "No command_digest of action given",
    ],
    [
      "a short command digest",
      { commandDigest: { hash: "abc", sizeBytes: 1 } },
      'Failed to read command_digest of action: Digest hash must be 64 lower-case hexadecimal digits (SHA-256): current value is "abc"',
    ],
    [
      "a negative size",
      { commandDigest: { ...digest, sizeBytes: -1 } },
      "Failed to read command_digest of action: Digest size must be a whole number from 0 to 281474976710656: current value is -1",
    ],
    [
      "no input root digest",
      { inputRootDigest: undefined },
      "No input_root_digest of action given",
    ],
    [
      "an upper-case input root digest",
      { inputRootDigest: { hash: "A".repeat(64), sizeBytes: 1 } },
      `Failed to read input_root_digest of action: Digest hash must be 64 lower-case hexadecimal digits (SHA-256): current value is "${"A".repeat(64)}"`,
    ],
  ])("the router refuses %s", async (_what, changes, text) => {
    const action = changes && {
      ...Action.fromPartial({ commandDigest: digest, inputRootDigest: digest }),
      ...changes,
    };
    expect(await refusal(scenario.route({ action }))).toBe(
      `INVALID_ARGUMENT: ${text}`,
    );
  });

  test.each(["a/../b", "x/blobs/y", "uploads", "a//b", "/a", "a b"])(
    "the router refuses instance name %j",
    async (instanceName) => {
      const action = await scenario.store({ arguments: ["a"] });
      expect(await refusal(scenario.route({ instanceName, action }))).toBe(
        `INVALID_ARGUMENT: Instance name must consist of plain components joined by "/": current value is "${instanceName}"`,
      );
    },
  );

  test("the router refuses a digest function that it lacks", async () => {
    const action = await scenario.store({ arguments: ["a"] });
    const digestFunction = DigestFunction_Value.BLAKE3;
    expect(await refusal(scenario.route({ digestFunction, action }))).toBe(
      "INVALID_ARGUMENT: Digest function must be SHA256: current value is BLAKE3",
    );
  });

  test.each([
    [
      { arguments: [] },
      "Command must have at least one argument, the program to run",
    ],
    [
      { arguments: ["a", "b\0c"] },
      'Argument 1 of command must not hold NUL: current value is "b\\u0000c"',
    ],
    [
      { workingDirectory: "../.." },
      'Working directory of command must stay within the input root: current value is "../.."',
    ],
    [
      { workingDirectory: "/etc" },
      'Working directory of command must be relative: current value is "/etc"',
    ],
    [
      { outputPaths: ["ok", "../../etc/passwd"] },
      'Output path of command must stay within the input root: current value is "../../etc/passwd"',
    ],
    [
      { outputFiles: ["/etc/passwd"] },
      'Output path of command must be relative: current value is "/etc/passwd"',
    ],
    [
      { outputFiles: ["a"], outputDirectories: ["./a"] },
      'Output path of command must be a file or a directory, not both: current value is "a"',
    ],
    [
      { outputFiles: ["a", "a/b"] },
      'Output file "a" of command must not hold another output: current value is "a/b"',
    ],
    [
      { environmentVariables: [{ name: "A=B", value: "" }] },
      'Environment variable of command must have a name without "=" and hold no NUL: current name is "A=B"',
    ],
  ])("the router refuses a command with %j", async (command, text) => {
    const action = await scenario.store(
      { arguments: ["a"], ...command },
      asked,
    );
    expect(await refusal(scenario.route({ action }))).toBe(
      `INVALID_ARGUMENT: ${text}`,
    );
  });

  test.each([
    [
      "tool",
      'INVALID_ARGUMENT: Failed to read platform property "container-image": Image reference must not hold "ftp://" before the registry: current value is "ftp://tool"',
      "ftp://tool",
    ],
    [
      "an image with spaces",
      'INVALID_ARGUMENT: Failed to read platform property "container-image": Image reference must consist of printable ASCII without spaces: current value is "a b"',
      "a b",
    ],
  ])("the router refuses %s", async (_what, text, value) => {
    const action = await scenario.store(
      { arguments: ["a"] },
      { "container-image": value },
    );
    expect(await refusal(scenario.route({ action }))).toBe(text);
  });

  test("the router says which image is unknown", async () => {
    const reference = `${registry.host}/none@sha256:${"0".repeat(64)}`;
    const action = await scenario.store(
      { arguments: ["a"] },
      { "container-image": reference },
    );
    expect(await refusal(scenario.route({ action }))).toMatch(
      `NOT_FOUND: Failed to resolve image "${reference}": `,
    );
  });

  test("the router refuses images that contradict each other", async () => {
    const other = await startRouterScenario({
      instance: { imageProperties: ["container-image", "ContainerBaseImage"] },
    });
    try {
      const values = { "container-image": "a:1", ContainerBaseImage: "b:1" };
      const action = await other.store({ arguments: ["a"] }, values);
      expect(await refusal(other.route({ action }))).toBe(
        'INVALID_ARGUMENT: Platform properties "ContainerBaseImage" and "container-image" must name the same image: current values are "b:1" and "a:1"',
      );
    } finally {
      await other.stop();
    }
  });

  test("the router refuses an instance name that it does not serve", async () => {
    const other = await startRouterScenario({
      instance: { prefix: "main", noImage: "reject" },
    });
    try {
      const action = await other.store({ arguments: ["a"] });
      const route = (instanceName: string) =>
        refusal(other.route({ instanceName, action }));
      for (const name of ["", "mainly", "other/main"]) {
        expect(await route(name)).toBe(
          `INVALID_ARGUMENT: Instance name must be one that the router serves: current value is "${name}"`,
        );
      }
      expect(await route("main/x")).toBe(
        'INVALID_ARGUMENT: Platform property "container-image" must name an image: instance name "main/x" takes no actions without one',
      );
    } finally {
      await other.stop();
    }
  });
});

describe("the router and a faulty CAS", () => {
  test("the router has the client upload a Command that is missing", async () => {
    const action = await scenario.store({ arguments: ["missing"] }, asked);
    const wanted = Digest.fromProto(action.commandDigest, "command_digest");
    scenario.faults.set(wanted.key, { type: "missing" });
    expect(await refusal(scenario.route({ action }))).toBe(
      `FAILED_PRECONDITION: Failed to read command "${wanted}": it is not in CAS, upload it and execute again`,
    );
  });

  test.each([
    ["other bytes", (size: number) => Buffer.alloc(size, 7)],
    ["too few bytes", (size: number) => Buffer.alloc(size - 1)],
  ])("the router takes no %s for a Command", async (what, makeBytes) => {
    const action = await scenario.store({ arguments: [what] }, asked);
    const wanted = Digest.fromProto(action.commandDigest, "command_digest");
    const data = makeBytes(wanted.sizeBytes);
    scenario.faults.set(wanted.key, { type: "bytes", data });
    expect(await refusal(scenario.route({ action }))).toMatch(
      `DATA_LOSS: Failed to read command "${wanted}": `,
    );
  });

  test("the router bears a CAS that is away for a moment", async () => {
    const action = await scenario.store({ arguments: ["retried"] }, asked);
    const before = await scenario.route({ action });
    const written = Digest.fromProto(
      before.action?.commandDigest,
      "command_digest",
    );
    const other = await startRouterScenario();
    try {
      await other.store({ arguments: ["retried"] });
      const fault = {
        type: "status",
        code: Code.Unavailable,
        times: 2,
      } as const;
      other.faults.set(written.key, { ...fault });
      const answer = await other.route({ action });
      expect(answer).toEqual(before);
      expect(await other.inner.findMissing([written])).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  test("the router fails when the rewritten Command is not taken", async () => {
    const action = await scenario.store({ arguments: ["denied"] }, asked);
    const before = await scenario.route({ action });
    const written = Digest.fromProto(
      before.action?.commandDigest,
      "command_digest",
    );
    const other = await startRouterScenario();
    try {
      await other.store({ arguments: ["denied"] });
      other.faults.set(written.key, {
        type: "status",
        code: Code.PermissionDenied,
      });
      expect(await refusal(other.route({ action }))).toMatch(
        `PERMISSION_DENIED: Failed to store rewritten blob "${written}": `,
      );
    } finally {
      await other.stop();
    }
  });
});
