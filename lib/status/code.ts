/**
 * The status codes of gRPC, by their names in the protocol
 * (google.rpc.Code). There are no codes of our own: choose by who must act.
 */
export const Code = {
  /** No error. */
  Ok: 0,
  /** The caller gave up. */
  Cancelled: 1,
  /** Never used on purpose; peers may send it. */
  Unknown: 2,
  /** The request or the configuration is wrong, whatever the state. */
  InvalidArgument: 3,
  /** The deadline passed first. */
  DeadlineExceeded: 4,
  /** There is no such thing. */
  NotFound: 5,
  /** It exists already. */
  AlreadyExists: 6,
  /** The caller is known, and may not. */
  PermissionDenied: 7,
  /** A limit of ours is reached. */
  ResourceExhausted: 8,
  /** Right later, when the state has changed. */
  FailedPrecondition: 9,
  /** Lost against someone else; begin again from the top. */
  Aborted: 10,
  /** Beyond the end. */
  OutOfRange: 11,
  /** Not offered here. */
  Unimplemented: 12,
  /** Our bug, or a peer that breaks its protocol. */
  Internal: 13,
  /** Try again. */
  Unavailable: 14,
  /** Bytes are not what their digest says. */
  DataLoss: 15,
  /** The caller is not known. */
  Unauthenticated: 16,
} as const;

/** A status code of gRPC. */
export type Code = (typeof Code)[keyof typeof Code];

const names = new Map<number, string>(
  Object.entries(Code).map(([name, code]) => [
    code,
    name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase(),
  ]),
);

/** The code's name in the protocol, such as "NOT_FOUND". */
export function codeName(code: Code): string {
  return names.get(code) ?? "UNKNOWN";
}

/** The code of a name such as "NOT_FOUND", or undefined if there is none. */
export function tryParseCodeName(name: string): Code | undefined {
  for (const [code, known] of names) {
    if (known === name) return code as Code; // keys are Code's values
  }
  return undefined;
}

/** The code of a number from a peer; one that gRPC lacks becomes Unknown. */
export function codeFromNumber(value: number): Code {
  return names.has(value) ? (value as Code) : Code.Unknown;
}
