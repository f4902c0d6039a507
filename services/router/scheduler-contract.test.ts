// Holds the router's answers against what Buildbarn's scheduler demands of
// them, checked here on its own, for actions of all shapes.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  Command,
  Platform,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { RouteActionResponse } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { Code } from "../../lib/status/index.js";
import type { ChildServer } from "../../test/fixtures/child-server.js";
import { startDockerRegistry } from "../../test/fixtures/docker-registry.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../test/fixtures/test-image.js";
import {
  type RouterScenario,
  startRouterScenario,
} from "./testing/router-scenario.js";

const image = buildTestImage();
let registry: ChildServer;
let scenario: RouterScenario;
beforeAll(async () => {
  registry = await startDockerRegistry();
  await pushTestImage(registry.host, "tool", { image });
  // Any word may be an image on Docker Hub, which tests must never ask.
  const images = [`${registry.host}/**`];
  scenario = await startRouterScenario({ instance: { images } });
});
afterAll(async () => {
  await scenario.stop();
  await registry.stop();
});

const text = fc.string({ unit: "binary", maxLength: 8 });
const property = fc.oneof(
  { weight: 9, arbitrary: fc.record({ name: text, value: text }) },
  fc.record({
    name: fc.constantFrom("container-image", "dockerNetwork", "dockerUser"),
    value: text,
  }),
  fc.constantFrom(
    { name: "ISA", value: "x86-64" },
    { name: "ISA", value: "avx2" },
    { name: "dockerNetwork", value: "off" },
    { name: "requires-network", value: "false" },
    { name: "dockerPrivileged", value: "true" },
  ),
);
const platform = fc.option(
  fc.record({
    properties: fc.tuple(
      fc.array(property, { maxLength: 6 }),
      fc.constantFrom([], [{ name: "container-image", value: "IMAGE" }]),
    ),
  }),
  { nil: undefined },
);
const path = fc.oneof(
  text,
  fc.constantFrom("a/b", "a/../c", "."),
  fc.constantFrom("", "..", "/x"),
);
const command = fc.record({
  arguments: fc.array(text, { maxLength: 3 }),
  environmentVariables: fc.array(fc.record({ name: text, value: text }), {
    maxLength: 3,
  }),
  workingDirectory: path,
  outputPaths: fc.array(path, { maxLength: 3 }),
  outputFiles: fc.array(path, { maxLength: 2 }),
  outputDirectories: fc.array(path, { maxLength: 2 }),
});
const metadata = fc.option(
  fc.record({
    toolInvocationId: text,
    correlatedInvocationsId: text,
    actionId: text,
    actionMnemonic: text,
    targetId: text,
    configurationId: text,
  }),
  { nil: undefined },
);

/** What the scheduler and our promises demand of every answer. */
function expectAcceptable(answer: RouteActionResponse): void {
  const { action, invocationKeys } = answer;
  expect(invocationKeys.length).toBeGreaterThanOrEqual(1);
  for (const { typeUrl } of invocationKeys) {
    expect(typeUrl).toMatch(/^type\.googleapis\.com\/build\.bazel\./);
  }
  const properties = action?.platform?.properties;
  if (properties === undefined) throw new Error("There is no platform");
  const keys = properties.map(({ name, value }) => [
    Buffer.from(name),
    Buffer.from(value),
  ]);
  for (const [at, [name, value]] of keys.entries()) {
    const [nextName, nextValue] = keys[at + 1] ?? [];
    if (!name || !value || !nextName || !nextValue) continue;
    const order =
      Buffer.compare(name, nextName) || Buffer.compare(value, nextValue);
    expect(order).toBe(-1);
  }
  expect(properties.map(({ name }) => name)).not.toContain("container-image");
}

interface NameAndValue {
  readonly name: string;
  readonly value: string;
}

function withImage(given: {
  readonly properties: readonly (readonly NameAndValue[])[];
}) {
  const reference = `${registry.host}/tool@${image.digest}`;
  return Platform.fromPartial({
    properties: given.properties.flat().map(({ name, value }) => ({
      name,
      value: value === "IMAGE" ? reference : value,
    })),
  });
}

test("the router gives answers that the scheduler takes, or says what to change", async () => {
  let answered = 0;
  let rewritten = 0;
  await fc.assert(
    fc.asyncProperty(
      platform,
      platform,
      command,
      metadata,
      async (ofAction, ofCommand, fields, requestMetadata) => {
        const stored = await scenario.store({
          ...Command.fromPartial(fields),
          platform: ofCommand && withImage(ofCommand),
        });
        const action = { ...stored, platform: ofAction && withImage(ofAction) };
        try {
          const answer = await scenario.route({
            action,
            requestMetadata:
              requestMetadata && RequestMetadata.fromPartial(requestMetadata),
          });
          expectAcceptable(answer);
          answered++;
          if (
            answer.action?.commandDigest?.hash !== action.commandDigest?.hash
          ) {
            rewritten++;
            const { outputFiles, arguments: words } =
              await scenario.readCommand(answer);
            expect(outputFiles).toEqual([]);
            expect(words.slice(words.indexOf("--") + 1)).toEqual(
              fields.arguments,
            );
          }
        } catch (error) {
          const { code } = error as { code: Code };
          expect([Code.InvalidArgument, Code.PermissionDenied]).toContain(code);
        }
      },
    ),
    { numRuns: 250 },
  );
  // Else the property would say little.
  expect(answered).toBeGreaterThan(20);
  expect(rewritten).toBeGreaterThan(0);
  expect(scenario.unexpected).toEqual([]);
});

test("the router's rewrite never depends on the request's metadata", async () => {
  const action = await scenario.store(
    { arguments: ["a"], outputPaths: ["b"] },
    { "container-image": `${registry.host}/tool@${image.digest}`, pool: "x" },
  );
  const { action: expected } = await scenario.route({ action });
  await fc.assert(
    fc.asyncProperty(metadata, async (given) => {
      const answer = await scenario.route({
        action,
        requestMetadata: given && RequestMetadata.fromPartial(given),
      });
      expect(answer.action).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});
