/** What the service answered when it did not do what it was asked for. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status; 0 where no answer came at all. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  /** Whether it may work when it is tried again as it was. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/** An error's text for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
