import { expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { InstanceTable, parseInstanceName } from "./index.js";

function table(...prefixes: string[]) {
  return new InstanceTable(
    prefixes.map((prefix) => ({ prefix: parseInstanceName(prefix) })),
  );
}

test.each([
  ["a/b/c", "a/b"],
  ["a/b", "a/b"],
  ["a/bc", "a"],
  ["a", "a"],
  ["ab", ""],
  ["", ""],
])("InstanceTable.find() gives for %j the prefix %j", (name, prefix) => {
  const found = table("a", "", "a/b").find(parseInstanceName(name));
  expect(found).toEqual({ prefix });
});

test("InstanceTable.find() gives nothing where no prefix holds", () => {
  expect(table("a").find(parseInstanceName("ab"))).toBeUndefined();
});

test("InstanceTable refuses one prefix twice", () => {
  expect(() => table("a", "b", "a")).toThrow(
    expect.objectContaining({
      code: Code.InvalidArgument,
      message: 'Instance prefix must be unique: current value is "a"',
    }),
  );
});
