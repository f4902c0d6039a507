import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { asNobody } from "../../../test/fixtures/as-nobody.js";
import { checkRunning } from "./check-running-process.js";

let state: string;
beforeAll(() => {
  state = mkdtempSync(join(tmpdir(), "berth-doctor-"));
  mkdirSync(join(state, "configuration"), { mode: 0 });
});
afterAll(() => rmSync(state, { recursive: true }));

test("checkRunning() says that it may not look into another user's folder", async () => {
  const text = `"${state}" may not be read by this user, so that it cannot be told whether "berth up" runs: ask its owner`;
  expect(await asNobody(() => checkRunning(state))).toEqual([
    { result: "note", text },
  ]);
});

test("checkRunning() says that nothing runs where nothing ever did", async () => {
  expect(await checkRunning(join(state, "none"))).toEqual([
    {
      result: "note",
      text: '"berth up" does not run: start it before "berth run"',
    },
  ]);
});
