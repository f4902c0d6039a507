import { expect, test } from "@jest/globals";
import { parseSubmissionBody } from "./submission-body.js";

function parse(yaml: string): unknown {
  return parseSubmissionBody(Buffer.from(yaml), "application/yaml");
}

test("parseSubmissionBody() reads maps of plain keys", () => {
  expect(parse('a: {b: 1, 2: c}\n"d": [e]')).toEqual({
    a: { b: 1, 2: "c" },
    d: ["e"],
  });
});

test.each([
  ["braces", `${"{".repeat(700)}a${"}".repeat(700)}`],
  ["explicit keys", `${"? {".repeat(700)}a${"}".repeat(700)}`],
  ["a list", "[a]: b"],
  ["an alias", "a: &a {}\nb: {*a : c}"],
])("parseSubmissionBody() refuses keys that are %s at once", (_, yaml) => {
  const startMs = performance.now();
  expect(() => parse(yaml)).toThrow(
    "The request's body must be YAML: a key must be plain text",
  );
  expect(performance.now() - startMs).toBeLessThan(1_000); // it took 14 s
});
