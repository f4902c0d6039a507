import { expect, test } from "@jest/globals";
import { Code } from "../../lib/status/index.js";
import { parseOptions } from "./parse-options.js";

const table = { engine: { type: "string", default: "x" } } as const;

test("parseOptions() keeps what comes after -- apart", () => {
  expect(
    parseOptions("run", ["--engine=y", "image", "--", "a", "--b"], table),
  ).toMatchObject({
    values: { engine: "y" },
    positionals: ["image"],
    rest: ["a", "--b"],
  });
  expect(parseOptions("run", ["image"], table).rest).toBeUndefined();
});

test("parseOptions() names an unknown option and where the help is", () => {
  expect(() => parseOptions("run", ["--engin=y"], table)).toThrow(
    expect.objectContaining({
      code: Code.InvalidArgument,
      message: "Unknown option '--engin': see \"berth help run\"",
    }),
  );
});
