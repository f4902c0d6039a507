import { describe, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { checkGraph } from "./check-graph.js";
import type { Source } from "./container.js";
import type { StepSpecification } from "./step.js";

function step(
  name: string,
  needs: string[] = [],
  work: {
    stdin?: Source;
    inputs?: { from: Source; path: string }[];
    outputs?: { name: string; path: string }[];
  } = {},
): StepSpecification {
  return {
    name,
    needs,
    cache: false,
    retry: "infrastructure",
    work: {
      kind: "container",
      image: "debian",
      refresh: false,
      environment: [],
      secrets: [],
      inputs: work.inputs ?? [],
      outputs: work.outputs ?? [],
      ...(work.stdin && { stdin: work.stdin }),
    },
  };
}

const report = { name: "report", path: "/report" };
const tree = { name: "tree", path: "/tree/" };
const from = (name: string, output: string) => ({ step: name, output });

describe("checkGraph()", () => {
  test("takes a graph in any order of writing", () => {
    checkGraph([
      step("c", ["a", "b"], { stdin: from("a", "stderr") }),
      step("b", ["a"], { inputs: [{ from: from("a", "tree"), path: "/t" }] }),
      step("a", [], { outputs: [report, tree] }),
    ]);
  });

  test("takes a long chain that is written backwards", () => {
    const chain = Array.from({ length: 1_000 }, (_, at) =>
      step(`s${at}`, at === 0 ? [] : [`s${at - 1}`]),
    );
    checkGraph(chain.reverse());
  });

  test.each<[string, StepSpecification[], string]>([
    ["two of a name", [step("a"), step("a")], 'Two steps have the name "a"'],
    [
      "a need of nothing",
      [step("a", ["b"])],
      'Step "a" needs "b": no step has it',
    ],
    [
      "a circle",
      [step("a", ["c"]), step("b", ["a"]), step("c", ["b"]), step("d")],
      'Steps wait for each other: "a", "b", "c"',
    ],
    [
      "a step that waits for itself",
      [step("a", ["a"])],
      'Steps wait for each other: "a"',
    ],
    [
      "data of a step that is not waited for",
      [step("a"), step("b", [], { stdin: from("a", "stdout") })],
      'Step "b" reads "a/stdout", and must therefore need it',
    ],
    [
      "data of no step",
      [step("b", [], { stdin: from("a", "stdout") })],
      'Step "b" reads "a/stdout": no step has that name',
    ],
    [
      "an output that there is not",
      [
        step("a", [], { outputs: [report] }),
        step("b", ["a"], { stdin: from("a", "tree") }),
      ],
      'Step "b" reads "a/tree": step "a" has no such output, but stdout, stderr, report',
    ],
    [
      "a directory as standard input",
      [
        step("a", [], { outputs: [tree] }),
        step("b", ["a"], { stdin: from("a", "tree") }),
      ],
      'Step "b" reads "a/tree" as standard input: it is a directory',
    ],
    [
      "two outputs of a name",
      [step("a", [], { outputs: [report, report] })],
      'Step "a" has two outputs "report"',
    ],
  ])("refuses %s", (_, steps, message) => {
    expect(() => checkGraph(steps)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument, message }),
    );
  });
});
