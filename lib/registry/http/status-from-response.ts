import { Code, StatusError } from "../../status/index.js";
import type { HttpResponse } from "./http-transport.js";
import { readCapped } from "./read-capped.js";

/** A row of the table: who must act, and what the host did. */
type Row = readonly [code: Code, text: string];

/** HTTP statuses of registries, by who must act. */
const rows: Readonly<Record<number, Row>> = {
  // The request as we form it from the reference: whoever wrote that.
  400: [Code.InvalidArgument, "takes the request for malformed"],
  // Who is not known, and who is known and may not; kept apart from 404.
  401: [Code.Unauthenticated, "wants credentials"],
  403: [Code.PermissionDenied, "denies access"],
  451: [Code.PermissionDenied, "denies access for legal reasons"],
  404: [Code.NotFound, "does not have it"],
  410: [Code.NotFound, "does not have it any more"],
  // Only later helps.
  408: [Code.Unavailable, "does not answer in time"],
  425: [Code.Unavailable, "is not ready"],
  429: [Code.Unavailable, "limits the rate of requests"],
};

/** The codes of errors are short; whole bodies may be a proxy's HTML page. */
const maximumErrorBytes = 64 * 1024;

/**
 * Turns an answer that is no success into an error, and gives its body up.
 * Of the body only the registry's error codes (OCI distribution
 * specification, "Error Codes") are shown: its texts may quote tokens.
 */
export async function statusFromResponse(
  response: HttpResponse,
): Promise<StatusError> {
  const { status, subject } = response;
  const [code, text] = rows[status] ?? rowOfClass(status);
  const codes = await readErrorCodes(response);
  const shown = [`HTTP status ${status}`, ...codes].join(", ");
  return new StatusError(code, `${subject} ${text} (${shown})`);
}

function rowOfClass(status: number): Row {
  if (status >= 500) return [Code.Unavailable, "has trouble of its own"];
  if (status >= 400) return [Code.FailedPrecondition, "refuses the request"];
  return [Code.Internal, "answers in a way that makes no sense here"];
}

async function readErrorCodes(response: HttpResponse): Promise<string[]> {
  try {
    const data = await readCapped(response, "Error", maximumErrorBytes);
    const body: unknown = JSON.parse(Buffer.from(data).toString());
    if (typeof body !== "object" || body === null) return [];
    if (!("errors" in body) || !Array.isArray(body.errors)) return [];
    const codes = body.errors.map((error: unknown) =>
      typeof error === "object" && error !== null && "code" in error
        ? String(error.code)
        : "",
    );
    return codes.filter((code) => /^[A-Z][A-Z_]{1,40}$/.test(code)).slice(0, 3);
  } catch {
    return []; // only an addition to the status, which says what matters
  }
}
