import type { Code } from "./code.js";

/**
 * A failure with a gRPC status code: the one error that crosses the walls
 * between our parts. The message goes to whoever asked; the cause is for logs
 * and is never sent.
 */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: Code;
  /** What a peer attached, or we attach, as google.rpc.Status details. */
  readonly details: readonly StatusDetail[];

  constructor(
    code: Code,
    message: string,
    options?: { cause?: unknown; details?: readonly StatusDetail[] },
  ) {
    super(message, options);
    this.code = code;
    this.details = options?.details ?? [];
  }
}

/** One detail of a status, packed as google.protobuf.Any says. */
export interface StatusDetail {
  /** "type.googleapis.com/" and the message's full name. */
  readonly typeUrl: string;
  /** The encoded message. */
  readonly value: Uint8Array;
}
