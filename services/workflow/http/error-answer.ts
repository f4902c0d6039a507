import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import type { ErrorView } from "../../../lib/job-api/index.js";
import { Code, codeName, StatusError } from "../../../lib/status/index.js";
import { HttpError } from "./http-error.js";
import { describeMistakes } from "./mistakes.js";

/** What a failure is for a client. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorView;
  /** Whether it is a failure of ours that nobody foresaw: to be logged. */
  readonly isUnexpected: boolean;
}

/** The one table from status codes to HTTP. */
const statusByCode: Readonly<Record<Code, number>> = {
  [Code.Ok]: 500,
  // The client has left, or the service stops: another attempt may do.
  [Code.Cancelled]: 503,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 409,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 416,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** Turns whatever a handler or fastify threw into an answer. */
export function errorAnswer(thrown: unknown): ErrorAnswer {
  if (thrown instanceof HttpError) {
    const { status, code, headers, message } = thrown;
    return answer(status, code, { message, headers });
  }
  if (thrown instanceof StatusError) return ofStatus(thrown);
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    // A path that cannot be of anything, such as /v1/jobs/x, leads nowhere.
    if (thrown.validationContext === "params") return nothing();
    const message = describeMistakes(thrown.validation);
    return answer(400, Code.InvalidArgument, { message });
  }
  return ofFastify(thrown) ?? unexpected();
}

function ofStatus({ code, message }: StatusError): ErrorAnswer {
  // Texts of what nobody foresaw may tell about our inside.
  if (code === Code.Internal || code === Code.Unknown) return unexpected();
  const status = statusByCode[code];
  const headers: Record<string, string> = {};
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="berth"';
  if (status === 429 || status === 503) headers["retry-after"] = "1";
  return answer(status, code, { message, headers });
}

/** Fastify's own errors: those of the request have a status below 500. */
function ofFastify(thrown: unknown): ErrorAnswer | undefined {
  if (!(thrown instanceof Error) || !("statusCode" in thrown)) return undefined;
  const { statusCode, message } = thrown;
  if (typeof statusCode !== "number" || statusCode >= 500) return undefined;
  if (statusCode === 413) {
    const text = "The request's body is too large";
    return answer(413, Code.ResourceExhausted, { message: text });
  }
  // A part of the path that is too long for anything that we have.
  if (statusCode === 414) return nothing();
  return answer(statusCode, Code.InvalidArgument, { message });
}

function nothing(): ErrorAnswer {
  return answer(404, Code.NotFound, { message: "There is no such thing" });
}

function unexpected(): ErrorAnswer {
  const message = "Internal error";
  return { ...answer(500, Code.Internal, { message }), isUnexpected: true };
}

function answer(
  status: number,
  code: Code,
  {
    message,
    headers = {},
  }: { message: string; headers?: Readonly<Record<string, string>> },
): ErrorAnswer {
  const body = { error: { code: codeName(code), message } };
  return { status, headers, body, isUnexpected: false };
}
