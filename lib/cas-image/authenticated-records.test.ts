import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ActionCache } from "../action-cache/index.js";
import { parseInstanceName } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { createAuthenticatedRecords } from "./index.js";

const instanceName = parseInstanceName("team");
const record = Buffer.from("record");

function setup(key: Buffer = randomBytes(32)) {
  const results = new Map<string, ActionResult>();
  const errors: unknown[] = [];
  const actionCache: ActionCache = {
    get: async (action) => results.get(action.key),
    put: async (action, result) => {
      results.set(action.key, result);
    },
  };
  const create = (used: Buffer) =>
    createAuthenticatedRecords({
      actionCache,
      key: used,
      onError: (error) => errors.push(error),
    });
  return { results, errors, actionCache, create, records: create(key), key };
}

describe("createAuthenticatedRecords()", () => {
  test("createAuthenticatedRecords() gives a record to every holder of the key", async () => {
    const { records, create, key, results } = setup();
    await records.put("a", record, instanceName);
    expect(await create(key).get("a", instanceName)).toEqual(record);
    expect(await records.get("b", instanceName)).toBeUndefined();
    // It names no blob that completeness checking would look for.
    const [result] = results.values();
    expect({ ...result, stdoutRaw: undefined }).toEqual({
      ...ActionResult.fromPartial({}),
      stdoutRaw: undefined,
    });
  });

  test("createAuthenticatedRecords() ignores a record of another key", async () => {
    const { records, create } = setup();
    await create(randomBytes(32)).put("a", record, instanceName);
    expect(await records.get("a", instanceName)).toBeUndefined();
  });

  test("createAuthenticatedRecords() ignores every record with one wrong byte", async () => {
    const { records, results } = setup();
    await records.put("a", record, instanceName);
    const [[key, result] = []] = results;
    const right = Buffer.from(result?.stdoutRaw ?? "");
    expect(right.length).toBe(32 + record.length);
    for (let at = 0; at < right.length; at++) {
      const stdoutRaw = Buffer.from(right);
      stdoutRaw.writeUInt8(stdoutRaw.readUInt8(at) ^ 1, at);
      results.set(key ?? "", ActionResult.fromPartial({ stdoutRaw }));
      expect(await records.get("a", instanceName)).toBeUndefined();
    }
    for (let length = 0; length < right.length; length++) {
      const stdoutRaw = right.subarray(0, length);
      results.set(key ?? "", ActionResult.fromPartial({ stdoutRaw }));
      expect(await records.get("a", instanceName)).toBeUndefined();
    }
  });

  test("createAuthenticatedRecords() ignores a record of another name or instance", async () => {
    const { records, results } = setup();
    const other = parseInstanceName("other");
    await records.put("a", record, instanceName);
    await records.put("b", record, instanceName);
    await records.put("a", record, other);
    const keys = [...results.keys()];
    expect(keys).toHaveLength(3);
    const [a, b, foreign] = [...results.values()];
    results.set(keys[0] ?? "", b ?? ActionResult.fromPartial({}));
    expect(await records.get("a", instanceName)).toBeUndefined();
    results.set(keys[0] ?? "", foreign ?? ActionResult.fromPartial({}));
    expect(await records.get("a", instanceName)).toBeUndefined();
    results.set(keys[0] ?? "", a ?? ActionResult.fromPartial({}));
    expect(await records.get("a", instanceName)).toEqual(record);
  });

  test("createAuthenticatedRecords() lives without an action cache", async () => {
    const { create, actionCache, errors, key } = setup();
    const away = new StatusError(Code.PermissionDenied, "not allowed");
    actionCache.get = actionCache.put = async () => {
      throw away;
    };
    const records = create(key);
    await records.put("a", record, instanceName);
    expect(await records.get("a", instanceName)).toBeUndefined();
    expect(errors).toEqual([away, away]);
  });

  test("createAuthenticatedRecords() refuses a short key", () => {
    const { create } = setup();
    expect(() => create(randomBytes(31))).toThrow(
      "Key of image records must have at least 32 bytes: current value has 31",
    );
  });
});
