import { afterEach, beforeEach, expect, test } from "@jest/globals";
import Database from "better-sqlite3";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { GroupCommit } from "./group-commit.js";

let database: Database.Database;
let commits: GroupCommit;
let begun: number;

beforeEach(() => {
  begun = 0;
  database = new Database(":memory:", {
    verbose: (sql) => {
      if (String(sql).startsWith("BEGIN")) begun += 1;
    },
  });
  database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY)");
  commits = new GroupCommit(database);
});
afterEach(() => {
  database.close();
});

function insert(value: number): number {
  database.prepare("INSERT INTO t VALUES (?)").run(value);
  return value;
}

function values(): unknown[] {
  return database.prepare("SELECT a FROM t ORDER BY a").pluck().all();
}

test("GroupCommit commits writes of one turn together, in their order", async () => {
  const results = [3, 1, 2].map((value) =>
    commits.write(() => [insert(value), values().length]),
  );
  expect(values()).toEqual([]);
  expect(await Promise.all(results)).toEqual([
    [3, 1],
    [1, 2],
    [2, 3],
  ]);
  expect(begun).toBe(1);
});

test("GroupCommit bounds a transaction", async () => {
  const numbers = Array.from({ length: 1_001 }, (_, at) => at);
  await Promise.all(numbers.map((at) => commits.write(() => insert(at))));
  expect(values()).toEqual(numbers);
  expect(begun).toBe(3);
});

test("GroupCommit fails the write that is refused, and no other", async () => {
  const refusal = new StatusError(Code.Aborted, "no");
  const results = await Promise.allSettled([
    commits.write(() => insert(1)),
    commits.write(() => {
      throw refusal;
    }),
    commits.write(() => insert(2)),
  ]);
  expect(results).toEqual([
    { status: "fulfilled", value: 1 },
    { status: "rejected", reason: refusal },
    { status: "fulfilled", value: 2 },
  ]);
  expect(begun).toBe(1);
});

test("GroupCommit runs writes again alone when one of them breaks", async () => {
  const results = await Promise.allSettled(
    [1, 2, 2, 3].map((value) => commits.write(() => insert(value))),
  );
  expect(results.map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  expect(values()).toEqual([1, 2, 3]);
});

test("GroupCommit.drain() commits what waits at once", async () => {
  const result = commits.write(() => insert(1));
  commits.drain();
  expect(values()).toEqual([1]);
  expect(await result).toBe(1);
});
