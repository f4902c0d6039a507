import { PreconditionFailure } from "#proto/google/rpc/error_details.js";
import type { Digest } from "../../lib/digest/index.js";
import { Code, StatusError } from "../../lib/status/index.js";

/** Violations that one error lists; a client that lacks more asks again. */
const maximumViolations = 1_000;

/**
 * The error by which a client learns which blobs to upload: FailedPrecondition
 * with a MISSING violation per blob (REAPI, Execution.Execute).
 */
export function missingBlobsError(missing: readonly Digest[]): StatusError {
  const violations = missing.slice(0, maximumViolations).map((digest) => ({
    type: "MISSING",
    subject: `blobs/${digest}`,
    description: "",
  }));
  const value = PreconditionFailure.encode({ violations }).finish();
  const [first] = missing;
  return new StatusError(
    Code.FailedPrecondition,
    missing.length === 1
      ? `Blob "${first}" is missing from CAS: upload it`
      : `${missing.length} blobs are missing from CAS, the first is "${first}": upload them`,
    {
      details: [
        {
          typeUrl: "type.googleapis.com/google.rpc.PreconditionFailure",
          value,
        },
      ],
    },
  );
}
