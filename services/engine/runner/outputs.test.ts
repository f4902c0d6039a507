import { afterEach, describe, expect, test } from "@jest/globals";
import {
  Directory,
  Command_OutputDirectoryFormat as Format,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest, parseInstanceName } from "../../../lib/digest/index.js";
import { Code } from "../../../lib/status/index.js";
import { EngineScenario, shell } from "../testing/engine-scenario.js";

const context = { instanceName: parseInstanceName("") };
let scenario: EngineScenario;

afterEach(async () => {
  await scenario.stop();
  expect(scenario.unexpected).toEqual([]);
});

/** Runs a script whose outputs are wanted; gives the result. */
async function outputsOf(
  script: string,
  command: Parameters<typeof shell>[1],
  inputs = {},
) {
  scenario = await EngineScenario.start();
  const { response } = await scenario.run({
    command: shell(script, command),
    inputs,
  });
  expect(response.status).toBeUndefined();
  expect(response.result?.exitCode).toBe(0);
  return response.result;
}

const makeTree = `mkdir -p d/sub d/empty && echo 1 > d/one &&
  echo 2 > d/sub/two && chmod +x d/sub/two && ln -s ../nowhere d/link &&
  cp -r d/sub d/again`;

describe("collectOutputs()", () => {
  test("collectOutputs() tells files, symlinks and directories apart", async () => {
    const result = await outputsOf(
      `${makeTree}; echo t > tool; chmod 755 tool; ln -s /abs/target l; ln -s d l2`,
      { outputPaths: ["tool", "d", "l", "l2", "absent", "made/below"] },
    );
    expect(result).toMatchObject({
      outputFiles: [{ path: "tool", isExecutable: true }],
      outputSymlinks: [
        { path: "l", target: "/abs/target" },
        { path: "l2", target: "d" },
      ],
      outputDirectories: [{ path: "d", isTopologicallySorted: true }],
      outputFileSymlinks: [
        { path: "l", target: "/abs/target" },
        { path: "l2", target: "d" },
      ],
      outputDirectorySymlinks: [],
    });
  });

  test("collectOutputs() makes canonical trees, empty directories included", async () => {
    const result = await outputsOf(makeTree, { outputPaths: ["d"] });
    const [output] = result?.outputDirectories ?? [];
    expect(output?.rootDirectoryDigest).toBeUndefined();
    const treeDigest = Digest.fromProto(output?.treeDigest, "tree_digest");
    const tree = Tree.decode(await scenario.cas.read(treeDigest, context));
    const names = (nodes: readonly { name: string }[] | undefined) =>
      nodes?.map(({ name }) => name);
    expect(names(tree.root?.files)).toEqual(["one"]);
    expect(names(tree.root?.directories)).toEqual(["again", "empty", "sub"]);
    expect(tree.root?.symlinks).toMatchObject([
      { name: "link", target: "../nowhere" },
    ]);
    expect(tree.children).toHaveLength(2); // "again" equals "sub"
    const sub = tree.children.find(({ files }) => files.length > 0);
    expect(sub?.files).toMatchObject([{ name: "two", isExecutable: true }]);
  });

  test.each([
    [Format.TREE_ONLY, true, false],
    [Format.DIRECTORY_ONLY, false, true],
    [Format.TREE_AND_DIRECTORY, true, true],
  ])(
    "collectOutputs() keeps to output directory format %d",
    async (format, wantsTree, wantsDirectory) => {
      const result = await outputsOf(makeTree, {
        outputPaths: ["d"],
        outputDirectoryFormat: format,
      });
      const [output] = result?.outputDirectories ?? [];
      expect(output?.treeDigest !== undefined).toBe(wantsTree);
      expect(output?.rootDirectoryDigest !== undefined).toBe(wantsDirectory);
      if (!wantsDirectory) return;
      const digest = Digest.fromProto(output?.rootDirectoryDigest, "root");
      const root = Directory.decode(await scenario.cas.read(digest, context));
      const below = root.directories.map((node) =>
        Digest.fromProto(node.digest, "digest"),
      );
      expect(await scenario.cas.findMissing(below, context)).toEqual([]);
    },
  );

  test("collectOutputs() answers old clients in the fields that they know", async () => {
    const result = await outputsOf(
      `${makeTree}; echo f > f; ln -s f fl; ln -s d dl`,
      { outputFiles: ["f", "fl"], outputDirectories: ["d", "dl"] },
    );
    expect(result).toMatchObject({
      outputFiles: [{ path: "f" }],
      outputFileSymlinks: [{ path: "fl", target: "f" }],
      outputDirectories: [{ path: "d" }],
      outputDirectorySymlinks: [{ path: "dl", target: "d" }],
      outputSymlinks: [],
    });
  });

  test.each([0, 300_000, 3_000_000])(
    "collectOutputs() stores files of %d bytes, however they are linked",
    async (size) => {
      const result = await outputsOf(
        `head -c ${size} /dev/urandom > a; ln a b; cp a c; mv input d; ln d e || cp d e`,
        { outputPaths: ["a", "b", "c", "d", "e"] },
        { input: "x".repeat(size) },
      );
      const digests = result?.outputFiles.map(({ digest }) =>
        Digest.fromProto(digest, "digest"),
      );
      expect(digests?.map(({ sizeBytes }) => sizeBytes)).toEqual(
        Array(5).fill(size),
      );
      for (const digest of digests ?? []) {
        await scenario.cas.read(digest, context); // verified by the client
      }
    },
  );

  test("collectOutputs() takes outputs that their own mode hides", async () => {
    const result = await outputsOf(
      "mkdir d; echo s > d/secret; chmod 0 d/secret; chmod 0 d; echo t > t; chmod 0 t",
      { outputPaths: ["d", "t"] },
    );
    expect(result?.outputDirectories).toHaveLength(1);
    expect(result?.outputFiles).toHaveLength(1);
  });

  test.each([
    ["mkfifo o", 'Output "o" must be a file, directory or symlink'],
    [
      "mkdir o; mkfifo o/pipe",
      'Output "o/pipe" must be a file, directory or symlink',
    ],
    [
      "mkdir o; touch \"o/$(printf '\\377')\"",
      'Output "o/\ufffd" must have a name in UTF-8',
    ],
    [
      "rmdir o/below; rmdir o; ln -s /etc o",
      'Output path "o/below/f" leads through a symlink that the action made: "o"',
      "o/below/f",
    ],
  ])(
    "collectOutputs() refuses what %j left",
    async (script, message, path = "o") => {
      scenario = await EngineScenario.start();
      const { response } = await scenario.run({
        command: shell(script, { outputPaths: [path] }),
      });
      expect(response.status).toMatchObject({
        code: Code.InvalidArgument,
        message,
      });
    },
  );
});
