import { type Document, isMap, isSeq, parse, parseDocument } from "yaml";
import { parseConfiguration } from "../../../lib/configuration/index.js";
import { jobSubmissionSchema } from "../../../lib/job-api/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { usageError } from "../parse-options.js";
import type { SubmissionBody } from "./client/job-http-client.js";

/** What the command line says over a file. */
export interface SubmissionEdits {
  readonly name?: string | undefined;
  /** "FIELD=VALUE", as --set has them. */
  readonly set: readonly string[];
}

/**
 * Makes a file's text a submission, as it is unless something is to be set.
 * Throws InvalidArgument with `path:line:column` for everything that the
 * server would refuse for its form.
 */
export function parseSubmission(
  text: string,
  path: string,
  edits: SubmissionEdits,
): SubmissionBody {
  const isPlainJson = isJson(text);
  if (edits.name === undefined && edits.set.length === 0) {
    check(text, path);
    const type = isPlainJson ? "application/json" : "application/yaml";
    return { type, text };
  }
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) {
    check(text, path);
  }
  if (edits.name !== undefined) document.set("name", edits.name);
  for (const edit of edits.set) applyEdit(document, edit);
  const edited = JSON.stringify(document.toJS());
  check(String(document), `${path}, as it was set`);
  return { type: "application/json", text: edited };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function check(text: string, path: string): void {
  try {
    parseConfiguration(text, path, jobSubmissionSchema);
  } catch (error) {
    const { code, message } = toStatusError(error);
    const hint = /"steps\.\d+\.source": there is no such field/.test(message)
      ? '\nA job in the form of Dray\'s API is sent by curl to "/jobs"'
      : "";
    throw new StatusError(code, `${message}${hint}`);
  }
}

/** "steps.NAME.image=debian": steps are known by name or place, from 0. */
function applyEdit(document: Document, edit: string): void {
  const equals = edit.indexOf("=");
  const path = edit.slice(0, Math.max(0, equals)).split(".");
  if (equals <= 0 || path.includes("")) {
    throw usageError(
      "job",
      `--set must be FIELD=VALUE, such as "steps.NAME.image=debian": current value is ${JSON.stringify(edit)}`,
    );
  }
  const [first, step, ...field] = path;
  const at =
    first === "steps" && step !== undefined
      ? ["steps", placeOfStep(document, step), ...field]
      : path;
  try {
    document.setIn(at, parse(edit.slice(equals + 1)));
  } catch (error) {
    throw new StatusError(
      Code.InvalidArgument,
      `--set "${path.join(".")}" is wrong: there is no such field, or its value is no YAML`,
      { cause: error },
    );
  }
}

function placeOfStep(document: Document, name: string): number {
  const steps = document.get("steps");
  const items = isSeq(steps) ? steps.items : [];
  const place = items.findIndex(
    (item) => isMap(item) && item.get("name") === name,
  );
  if (place >= 0) return place;
  if (/^\d{1,4}$/.test(name) && Number(name) < items.length) {
    return Number(name);
  }
  throw new StatusError(
    Code.InvalidArgument,
    `--set "steps.${name}" is wrong: the job has no such step`,
  );
}
