import { describe, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { parseSubmission } from "./submission.js";

const yaml = `name: words # of a book
steps:
  - name: generate
    image: debian
    command: echo a
  - image: debian
`;
const none = { set: [] };

describe("parseSubmission()", () => {
  test.each([
    [yaml, "application/yaml"],
    ['{"steps":[{"image":"debian"}]}', "application/json"],
    ['{\n\t"steps": [\n\t\t{"image": "debian"}\n\t]\n}\n', "application/json"],
    ["{steps: [{image: debian},],}", "application/yaml"],
  ])("parseSubmission() sends %j as it is", (text, type) => {
    expect(parseSubmission(text, "f", none)).toEqual({ type, text });
  });

  test.each([
    [
      "steps:\n  - image: debian\n    imag: x\n",
      'f:3:5: "steps.0.imag": there is no such field',
    ],
    ["steps: [\n", "f:2:1: "],
    ["steps:\n\t- image: debian\n", "f:2:1: Tabs are not allowed"],
    ["a: 1\na: 2\n", "f:2:1: Map keys must be unique"],
    ['{"steps":[{"image":7}]}', 'f:1:12: "steps.0.image": must be a text'],
    ["", 'f:1:1: must have "steps"'],
    ["{}", 'f:1:1: must have "steps"'],
    ["steps:\n  - command: a\n", 'f:2:5: "steps.0": must have "image"'],
    ["steps: [{image: a, command: 1}]", '"steps.0.command": must be a list or'],
    [
      '{"steps":[{"source":"debian"}]}',
      'A job in the form of Dray\'s API is sent by curl to "/jobs"',
    ],
  ])("parseSubmission() refuses %j with its place", (text, message) => {
    expect(() => parseSubmission(text, "f", none)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: expect.stringContaining(message),
      }),
    );
  });

  test("parseSubmission() sets fields over those of the file", () => {
    const { type, text } = parseSubmission(yaml, "f", {
      name: "other",
      set: [
        "cache=true",
        "environment.URL=http://a?b=c",
        "steps.generate.image=debian:trixie",
        "steps.1.command=[wc, -l]",
      ],
    });
    expect({ type, job: JSON.parse(text) }).toEqual({
      type: "application/json",
      job: {
        name: "other",
        cache: true,
        environment: { URL: "http://a?b=c" },
        steps: [
          { name: "generate", image: "debian:trixie", command: "echo a" },
          { image: "debian", command: ["wc", "-l"] },
        ],
      },
    });
  });

  test.each([
    ["cache", '--set must be FIELD=VALUE, such as "steps.NAME.image=debian"'],
    ["=x", "--set must be FIELD=VALUE"],
    ["steps..image=x", "--set must be FIELD=VALUE"],
    ["steps.none.image=x", '--set "steps.none" is wrong: the job has no such'],
    ["steps.2.image=x", '--set "steps.2" is wrong'],
    ["name.first=x", '--set "name.first" is wrong: there is no such field'],
    ["cache=[", '--set "cache" is wrong'],
    ["cach=true", 'f, as it was set:7:1: "cach": there is no such field'],
  ])("parseSubmission() refuses to set %j", (edit, message) => {
    expect(() => parseSubmission(yaml, "f", { set: [edit] })).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: expect.stringContaining(message),
      }),
    );
  });
});
