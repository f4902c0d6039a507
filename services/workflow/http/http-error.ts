import type { Code } from "../../../lib/status/index.js";

/**
 * A failure that only HTTP has a word for, such as 415. What else fails is a
 * StatusError, and error-answer.ts says what it is in HTTP.
 */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly code: Code;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: Code,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}
