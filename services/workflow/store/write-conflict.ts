import { Code, StatusError } from "../../../lib/status/index.js";

/** An update of a job that is not there. */
export function jobNotFound(id: string): StatusError {
  return new StatusError(Code.NotFound, `There is no job "${id}"`);
}

/** An update that does not begin at what is stored. */
export function staleVersion(
  id: string,
  versions: { readonly stored: number; readonly given: number },
): StatusError {
  return new StatusError(
    Code.Aborted,
    `Job "${id}" was changed by someone else: its version is ${versions.stored}, not ${versions.given}`,
  );
}

/** Another job under the id of a new one. */
export function jobExists(id: string): StatusError {
  return new StatusError(
    Code.AlreadyExists,
    `There is another job "${id}" already`,
  );
}

/** Log segments that would leave a gap. */
export function logOrderGap(
  id: string,
  counts: { readonly stored: number; readonly given: number },
): StatusError {
  return new StatusError(
    Code.Aborted,
    `The log order of job "${id}" has ${counts.stored} segments, not ${counts.given}`,
  );
}
