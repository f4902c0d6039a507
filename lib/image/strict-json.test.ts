import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Code } from "../status/index.js";
import { parseStrictJson } from "./strict-json.js";

const parse = (text: string) => parseStrictJson(Buffer.from(text), "Text");

describe("parseStrictJson()", () => {
  test("parseStrictJson() reads whatever JSON.stringify() writes", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    ['{"a":1,"a":2}', "a"],
    ['{"a":1,"\\u0061":2}', "a"],
    ['{"x":[{"b":{}, "c":{"b":1},"b" : 2}]}', "b"],
    ['{"":1,"":2}', ""],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
  ])("parseStrictJson() refuses %s", (text, key) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: `Text holds the key "${key}" twice in one object`,
      }),
    );
  });

  test.each([
    '{"a":{"a":{"a":1}},"b":["a","a"]}',
    '[{"a":1},{"a":1}]',
    '{"a":"\\"a\\":1,","b":"}{"}',
    '{"a":1,"A":2}',
  ])("parseStrictJson() takes %s", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  test.each(["", "{", '{"a"}', '{"\\x":1}', "]{", '"', "{}{}", "// {}"])(
    "parseStrictJson() says that %j is not JSON",
    (text) => {
      expect(() => parse(text)).toThrow("Text is not JSON");
    },
  );

  test("parseStrictJson() takes no time that grows with the square", () => {
    // A quote that looks like a beginning at every second character.
    const text = `"${'\\"'.repeat(2_000_000)}`;
    const start = performance.now();
    expect(() => parse(text)).toThrow("Text is not JSON");
    // Linear: some hundredths of a second. Quadratic: hours.
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test("parseStrictJson() takes 32 levels and no more", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parse(nested(32))).toBeInstanceOf(Array);
    expect(() => parse(nested(33))).toThrow(
      "Text is nested more than 32 levels deep",
    );
  });
});
