import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseChallenges } from "./parse-challenges.js";

function parse(header: string) {
  return parseChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
}

describe("parseChallenges()", () => {
  test.each([
    [
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"',
      [
        [
          "bearer",
          {
            realm: "https://auth.example/token",
            service: "registry.example",
            scope: "repository:a/b:pull",
          },
        ],
      ],
    ],
    [
      'BASIC Realm="a \\"quoted\\" one", Bearer realm=plain , error="x"',
      [
        ["basic", { realm: 'a "quoted" one' }],
        ["bearer", { realm: "plain", error: "x" }],
      ],
    ],
    [
      "Negotiate, Basic",
      [
        ["negotiate", {}],
        ["basic", {}],
      ],
    ],
    ['Bearer realm="a",realm="b"', [["bearer", { realm: "a" }]]],
    ['realm="without a scheme"', []],
    ['Bearer realm="never closed', [["bearer", {}]]],
    ["", []],
  ])("parseChallenges() reads %j", (header, expected) => {
    expect(parse(header)).toEqual(expected);
  });

  test("parseChallenges() ends on any header, soon", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (header) => {
        parseChallenges(header);
      }),
    );
    expect(parse(`Bearer ${'a="\\'.repeat(100_000)}`)).toHaveLength(1);
  });
});
