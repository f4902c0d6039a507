import { describe, expect, test } from "@jest/globals";
import {
  Action,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code } from "../status/index.js";
import { applyMetadataRules, type MetadataRule } from "./index.js";

const action = Action.fromPartial({
  platform: {
    properties: [
      { name: "OSFamily", value: "linux" },
      { name: "pool", value: "a" },
      { name: "pool", value: "b" },
    ],
  },
});
const metadata = RequestMetadata.fromPartial({
  toolDetails: { toolName: "bazel" },
  actionMnemonic: "TestRunner",
  targetId: "//app:test",
});

function rule(changes: Partial<MetadataRule>): MetadataRule {
  return {
    when: {},
    setProperties: new Map(),
    doNotCache: false,
    refusal: undefined,
    ...changes,
  };
}

describe("applyMetadataRules()", () => {
  test("applyMetadataRules() sets properties in the place of their name", () => {
    const rules = [rule({ setProperties: new Map([["pool", "tests"]]) })];
    const { platform } = applyMetadataRules(action, metadata, rules);
    expect(
      platform?.properties.map(({ name, value }) => `${name}=${value}`),
    ).toEqual(["OSFamily=linux", "pool=tests"]);
  });

  test("applyMetadataRules() changes nothing but queue and caching", () => {
    const rules = [
      rule({ doNotCache: true, setProperties: new Map([["a", "b"]]) }),
    ];
    const { platform, doNotCache, ...rest } = applyMetadataRules(
      action,
      metadata,
      rules,
    );
    const { platform: _, doNotCache: __, ...before } = action;
    expect(rest).toEqual(before);
    expect(doNotCache).toBe(true);
    expect(platform?.properties).toHaveLength(4);
  });

  test.each([
    [{}, true],
    [{ toolName: "bazel" }, true],
    [{ toolName: "bazel", actionMnemonic: "Genrule" }, false],
    [{ targetId: "//app:*" }, true],
    [{ targetId: "//app:" }, false],
    [{ actionMnemonic: "Test*", targetId: "//lib:*" }, false],
  ])("applyMetadataRules() matches %j: %j", (when, isMatch) => {
    const rules = [rule({ when, doNotCache: true })];
    const { doNotCache } = applyMetadataRules(action, metadata, rules);
    expect(doNotCache).toBe(isMatch);
  });

  test("applyMetadataRules() takes absent metadata for empty texts", () => {
    const rules = [rule({ when: { toolName: "" }, doNotCache: true })];
    expect(applyMetadataRules(action, undefined, rules).doNotCache).toBe(true);
    const named = [rule({ when: { toolName: "bazel" }, doNotCache: true })];
    expect(applyMetadataRules(action, undefined, named)).toBe(action);
  });

  test("applyMetadataRules() refuses with the operator's text", () => {
    const rules = [rule({ refusal: "tests run elsewhere" })];
    expect(() => applyMetadataRules(action, metadata, rules)).toThrow(
      expect.objectContaining({
        code: Code.PermissionDenied,
        message: "tests run elsewhere",
      }),
    );
  });
});
