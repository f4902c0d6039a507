import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parseInstanceName } from "../../../lib/digest/index.js";
import { createLayerRecordFiles } from "./layer-record-files.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-layers-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const instanceName = parseInstanceName("");
const diffId = `sha256:${"a".repeat(64)}`;

test("createLayerRecordFiles() keeps records for the next command", async () => {
  const record = Buffer.from("record");
  await createLayerRecordFiles(join(folder, "new")).put(
    diffId,
    record,
    instanceName,
  );
  const next = createLayerRecordFiles(join(folder, "new"));
  expect(await next.get(diffId, instanceName)).toEqual(record);
  expect(await next.get("sha256:../../x", instanceName)).toBeUndefined();
  expect(readdirSync(join(folder, "new"))).toHaveLength(1);
});

test("createLayerRecordFiles() does without a folder that cannot be", async () => {
  const records = createLayerRecordFiles("/dev/null/layers");
  await records.put(diffId, Buffer.from("record"), instanceName);
  expect(await records.get(diffId, instanceName)).toBeUndefined();
});
