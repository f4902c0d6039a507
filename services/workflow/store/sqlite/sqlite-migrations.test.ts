import { afterEach, beforeEach, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { migrate } from "./sqlite-migrations.js";

const first = "CREATE TABLE t (a); INSERT INTO t VALUES (1)";
const second = "ALTER TABLE t ADD COLUMN b DEFAULT 2";
let database: Database.Database;

beforeEach(() => {
  database = new Database(":memory:");
});
afterEach(() => {
  database.close();
});

test("migrate() goes on from the file's version", () => {
  migrate(database, [first]);
  migrate(database, [first, second]);
  migrate(database, [first, second]);
  expect(database.pragma("user_version", { simple: true })).toBe(2);
  expect(database.prepare("SELECT * FROM t").all()).toEqual([{ a: 1, b: 2 }]);
});

test("migrate() leaves a file at the last step that succeeded", () => {
  const broken = "DELETE FROM t; SELECT nonsense";
  expect(() => migrate(database, [first, second, broken])).toThrow("nonsense");
  expect(database.pragma("user_version", { simple: true })).toBe(2);
  expect(database.prepare("SELECT * FROM t").all()).toEqual([{ a: 1, b: 2 }]);
});
