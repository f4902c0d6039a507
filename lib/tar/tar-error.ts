import { Code, StatusError } from "../status/index.js";

/**
 * An archive that is malformed, or that readers understand differently: wrong
 * whatever the state, so InvalidArgument.
 */
export function tarError(detail: string): StatusError {
  return new StatusError(Code.InvalidArgument, detail);
}
