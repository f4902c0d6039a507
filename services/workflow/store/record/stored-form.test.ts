import { expect, test } from "@jest/globals";
import { newStoredJob } from "../../../../test/fixtures/stored-job.js";
import { readRecord, type StoredForms, writeRecord } from "./stored-form.js";

const job = newStoredJob();
const { labels, ...withoutLabels } = job;
/** As if labels were new in form 2, and names in form 3. */
const forms: StoredForms = {
  current: 3,
  upgrades: {
    1: (old) => ({ ...Object(old), labels }),
    2: (old) => ({ ...Object(old), name: "unnamed" }),
  },
};

test("readRecord() reads what writeRecord() wrote", () => {
  expect(JSON.parse(writeRecord(job))).toEqual({ format: 1, job });
  expect(readRecord(writeRecord(job), job.id)).toEqual({ kind: "job", job });
});

test("readRecord() brings old forms to the present one, step by step", () => {
  const named = { kind: "job", job: { ...job, name: "unnamed" } };
  const first = JSON.stringify({ format: 1, job: withoutLabels });
  expect(readRecord(first, job.id, forms)).toEqual(named);
  const second = JSON.stringify({ format: 2, job });
  expect(readRecord(second, job.id, forms)).toEqual(named);
});

test.each([
  ["\u0000\ufffd", "It is not JSON"],
  ["null", "It does not say its format"],
  ['{"format":1}', "It does not say its format"],
  ['{"format":0,"job":1}', "It does not say its format"],
  ['{"format":1.5,"job":1}', "It does not say its format"],
  [
    '{"format":4,"job":1}',
    "Its format is 4, and this version of berth reads up to 3",
  ],
])("readRecord() says what is wrong with %j", (record, reason) => {
  expect(readRecord(record, job.id, forms)).toEqual({ kind: "bad", reason });
});

test("readRecord() says which upgrade fails", () => {
  const broken = {
    current: 2,
    upgrades: {
      1: () => {
        throw new RangeError("quotes a secret");
      },
    },
  };
  expect(readRecord('{"format":1,"job":{}}', job.id, broken)).toEqual({
    kind: "bad",
    reason: "It cannot be brought from format 1 to 2",
  });
});
