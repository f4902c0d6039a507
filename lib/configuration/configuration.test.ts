import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { z } from "zod";
import { Code } from "../status/index.js";
import {
  durationMs,
  parseConfiguration,
  readConfiguration,
  sizeBytes,
} from "./index.js";

const schema = z.strictObject({
  store: z.string(),
  budget: sizeBytes().default(10),
  timeout: durationMs().optional(),
  registries: z
    .array(z.strictObject({ host: z.string(), plain: z.boolean().optional() }))
    .default([]),
});

test("readConfiguration() reads YAML and JSON alike", async () => {
  const folder = await mkdtemp(join(tmpdir(), "berth-configuration-"));
  try {
    const yaml = join(folder, "a.yaml");
    const json = join(folder, "a.json");
    await writeFile(yaml, "store: /s\nbudget: 1.5KiB\ntimeout: 2m\n");
    await writeFile(json, '{"store":"/s","budget":1536,"timeout":"120s"}');
    const expected = {
      store: "/s",
      budget: 1536,
      timeout: 120_000,
      registries: [],
    };
    expect(await readConfiguration(yaml, schema)).toEqual(expected);
    expect(await readConfiguration(json, schema)).toEqual(expected);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("readConfiguration() says which file is missing", async () => {
  await expect(readConfiguration("/none.yaml", schema)).rejects.toMatchObject({
    code: Code.NotFound,
    message: expect.stringMatching(/^Failed to read configuration "\/none/),
  });
});

test.each([
  ["store: /s\nstoer: 1\n", 'c.yaml:2:1: "stoer": there is no such field'],
  [
    "store: /s\nregistries:\n  - host: a\n    plian: true\n",
    'c.yaml:4:5: "registries.0.plian": there is no such field',
  ],
  [
    "store: /s\nbudget: 5 apples\n",
    'c.yaml:2:1: "budget": must be a size such as 4096 or "10GiB": current value is "5 apples"',
  ],
  ["store: /s\nstore: /t\n", "c.yaml:2:1: Map keys must be unique"],
  ["budget: 1\n", 'c.yaml:1:1: must have "store"'],
])("parseConfiguration() refuses %j with the place", (text, message) => {
  expect(() => parseConfiguration(text, "c.yaml", schema)).toThrow(
    expect.objectContaining({ code: Code.InvalidArgument, message }),
  );
});
