import { describe, expect, test } from "@jest/globals";
import { Code } from "../../status/index.js";
import {
  checkHost,
  createScopedLookup,
  type NetworkScope,
} from "./network-scope.js";

function lookUp(scope: NetworkScope, all: boolean) {
  return new Promise<unknown>((resolve, reject) => {
    createScopedLookup(scope)("localhost", { all }, (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
}

describe("createScopedLookup()", () => {
  test.each([true, false])(
    "createScopedLookup() refuses a name with a loopback address in the public scope (all: %s)",
    async (all) => {
      await expect(lookUp("public", all)).rejects.toMatchObject({
        cause: {
          code: Code.PermissionDenied,
          message: expect.stringMatching(
            /^has the loopback address (127\.0\.0\.1|::1), which may not be reached/,
          ),
        },
      });
    },
  );

  test("createScopedLookup() answers as asked in a scope that allows it", async () => {
    expect(["127.0.0.1", "::1"]).toContain(await lookUp("loopback", false));
    expect(await lookUp("private", true)).toContainEqual(
      expect.objectContaining({ address: expect.any(String) }),
    );
  });
});

describe("checkHost()", () => {
  test("checkHost() takes a name for something to be looked up later", () => {
    checkHost("localhost", "public");
  });

  test.each([
    ["127.0.0.1", "public"],
    ["[::1]", "public"],
    ["10.0.0.1", "loopback"],
    ["169.254.169.254", "private"],
    ["[fe80::1]", "private"],
  ] as const)("checkHost() refuses %s in the %s scope", (host, scope) => {
    expect(() => checkHost(host, scope)).toThrow(
      expect.objectContaining({ code: Code.PermissionDenied }),
    );
  });
});
