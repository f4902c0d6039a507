import { describe, expect, test } from "@jest/globals";
import { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { PreconditionFailure } from "#proto/google/rpc/error_details.js";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import { Code, type StatusError } from "../status/index.js";
import { createCommandReader } from "./index.js";

const one = parseInstanceName("one");
const two = parseInstanceName("two");

function setup() {
  const cas = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 100_000,
  });
  const lookups: string[] = [];
  const reader = createCommandReader({
    cas,
    cacheSizeBytes: 10_000,
    maximumCommandSizeBytes: 1_000,
    onLookup: (result) => lookups.push(result),
  });
  return { cas, lookups, reader };
}

const encoded = Buffer.from(
  Command.encode(Command.fromPartial({ arguments: ["a"] })).finish(),
);

describe("CommandReader", () => {
  test("CommandReader reads a Command once for each instance name", async () => {
    const { cas, lookups, reader } = setup();
    const digest = await cas.write(encoded);
    expect((await reader.read(digest, one)).arguments).toEqual(["a"]);
    cas.delete(digest);
    expect((await reader.read(digest, one)).arguments).toEqual(["a"]);
    await expect(reader.read(digest, two)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    expect(lookups).toEqual(["miss", "hit", "miss"]);
  });

  test("CommandReader asks the client to upload what CAS lacks", async () => {
    const { reader } = setup();
    const digest = Digest.of(encoded);
    const error = await reader
      .read(digest, one)
      .catch((thrown: StatusError) => thrown);
    expect(error).toMatchObject({
      code: Code.FailedPrecondition,
      message: `Failed to read command "${digest}": it is not in CAS, upload it and execute again`,
      details: [
        { typeUrl: "type.googleapis.com/google.rpc.PreconditionFailure" },
      ],
    });
    const [detail] = (error as StatusError).details;
    expect(PreconditionFailure.decode(detail?.value ?? encoded)).toMatchObject({
      violations: [{ type: "MISSING", subject: `blobs/${digest}` }],
    });
  });

  test.each([
    ["bytes that are no message", Buffer.from([0xff, 0xff, 0xff])],
    // Field 1, length 2: no UTF-8. It would turn into other arguments.
    ["an argument that is not UTF-8", Buffer.from([0x0a, 2, 0xc3, 0x28])],
    ["a path that is not UTF-8", Buffer.from([0x3a, 1, 0xff])],
  ])("CommandReader refuses %s", async (_what, data) => {
    const { cas, reader } = setup();
    const digest = await cas.write(data);
    await expect(reader.read(digest, one)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Command "${digest}" must be an encoded build.bazel.remote.execution.v2.Command of valid UTF-8`,
    });
  });

  test("CommandReader takes a replacement character that was meant", async () => {
    const { cas, reader } = setup();
    const command = Command.fromPartial({ arguments: ["\uFFFD"] });
    const digest = await cas.write(Command.encode(command).finish());
    expect((await reader.read(digest, one)).arguments).toEqual(["\uFFFD"]);
  });

  test("CommandReader refuses a Command beyond the bound unread", async () => {
    const { reader } = setup();
    const digest = Digest.create("0".repeat(64), 1_001);
    await expect(reader.read(digest, one)).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: `Command "${digest}" must have 1000 bytes at most`,
    });
  });
});
