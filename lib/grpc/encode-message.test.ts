import { expect, test } from "@jest/globals";
import { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { encodeMessage } from "./encode-message.js";

function commandOf(argument: string): Command {
  return Command.fromPartial({
    arguments: [argument, "é", "x".repeat(300)],
    environmentVariables: [{ name: "A", value: argument }],
  });
}

test("encodeMessage() gives what the generated code gives, whatever came before", () => {
  for (const length of [0, 1, 200, 70_000, 3, 1_000]) {
    const command = commandOf("y".repeat(length));
    const encoded = encodeMessage(Command, command);
    expect(encoded.equals(Command.encode(command).finish())).toBe(true);
  }
});

test("encodeMessage() leaves the bytes that it gave before alone", () => {
  const first = encodeMessage(Command, commandOf("first"));
  const copy = Buffer.from(first);
  encodeMessage(Command, commandOf("other"));
  expect(first.equals(copy)).toBe(true);
});

test("encodeMessage() encodes the next message right after one that throws", () => {
  const broken = { ...commandOf("a"), environmentVariables: [undefined] };
  expect(() => encodeMessage(Command, broken as unknown as Command)).toThrow();
  const command = commandOf("b");
  expect(Command.decode(encodeMessage(Command, command))).toEqual(command);
});
