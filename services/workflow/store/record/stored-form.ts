import type { Job } from "../../model/job.js";
import { jobSchema } from "../../model/job.js";

/** The forms that a job's record has had. */
export interface StoredForms {
  /** What is written. */
  readonly current: number;
  /** By a form's number: what makes the next form's job of that form's. */
  readonly upgrades: Readonly<Record<number, (job: unknown) => unknown>>;
}

/**
 * The forms of today. Whoever changes jobSchema so that a record of before
 * does not pass it (or means something else) raises `current`, and says here
 * what becomes of the old ones.
 */
const storedForms: StoredForms = { current: 1, upgrades: {} };

/** What is in a record. */
export type RecordContent =
  | { readonly kind: "job"; readonly job: Job }
  /** Not to be read, and why; quotes nothing of what is in it. */
  | { readonly kind: "bad"; readonly reason: string };

/** The record of a job, in the present form. */
export function writeRecord(job: Job): string {
  return JSON.stringify({ format: storedForms.current, job });
}

/** Reads the record of the job of an id, of any form that there was. */
export function readRecord(
  record: unknown,
  id: string,
  forms = storedForms,
): RecordContent {
  let envelope: unknown;
  try {
    envelope = JSON.parse(String(record));
  } catch {
    return bad("It is not JSON"); // the parser's text quotes the record
  }
  if (!isEnvelope(envelope)) return bad("It does not say its format");
  const { format } = envelope;
  if (format > forms.current) {
    return bad(
      `Its format is ${format}, and this version of berth reads up to ${forms.current}`,
    );
  }
  let job = envelope.job;
  for (let from = format; from < forms.current; from += 1) {
    const upgrade = forms.upgrades[from];
    if (upgrade === undefined) return bad(`No format ${format} is known`);
    try {
      job = upgrade(job);
    } catch {
      return bad(`It cannot be brought from format ${from} to ${from + 1}`);
    }
  }
  return check(job, id);
}

function check(job: unknown, id: string): RecordContent {
  const parsed = jobSchema.safeParse(job);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return bad(`Its "${issue?.path.join(".")}" is wrong: ${issue?.message}`);
  }
  if (parsed.data.id !== id) return bad("It is the record of another job");
  return { kind: "job", job: parsed.data };
}

function bad(reason: string): RecordContent {
  return { kind: "bad", reason };
}

function isEnvelope(
  value: unknown,
): value is { readonly format: number; readonly job: unknown } {
  return (
    typeof value === "object" &&
    value !== null &&
    "job" in value &&
    "format" in value &&
    Number.isInteger(value.format) &&
    Number(value.format) > 0
  );
}
