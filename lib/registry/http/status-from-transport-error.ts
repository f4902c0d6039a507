import { Code, StatusError, toStatusError } from "../../status/index.js";

type Row = readonly [code: Code, text: string];

const untrusted: Row = [
  Code.FailedPrecondition,
  "has a certificate that is not trusted here (add its authority's certificate to the system's, or to NODE_EXTRA_CA_CERTS)",
];
const noTls: Row = [
  Code.FailedPrecondition,
  "does not speak TLS (if it serves plain HTTP, allow that for it in the configuration, or by --plain-http)",
];
const closed: Row = [Code.Unavailable, "closed the connection"];
const unreachable: Row = [Code.Unavailable, "cannot be reached"];

/**
 * Errors of sockets, TLS and undici, by their code. NODE_EXTRA_CA_CERTS is
 * Node's own variable (Node documentation, "CLI").
 */
const rows: Readonly<Record<string, Row>> = {
  // Away for the moment: another attempt may find it.
  ECONNREFUSED: [
    Code.Unavailable,
    "refuses connections: check its port, and that it runs",
  ],
  ECONNRESET: closed,
  EPIPE: closed,
  UND_ERR_SOCKET: closed,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: closed,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: unreachable,
  UND_ERR_CONNECT_TIMEOUT: [
    Code.Unavailable,
    "cannot be reached: no connection was made in time",
  ],
  UND_ERR_HEADERS_TIMEOUT: [
    Code.Unavailable,
    "took the connection, but did not answer in time",
  ],
  UND_ERR_BODY_TIMEOUT: [Code.Unavailable, "stopped sending"],
  EAI_AGAIN: [Code.Unavailable, "cannot be looked up by name at the moment"],
  // Not NotFound: that is what a registry says of an image. The name may be
  // wrong, or known only to another name server.
  ENOTFOUND: [
    Code.Unavailable,
    "is not found in DNS: check the name, and this machine's name servers",
  ],
  // Set up wrongly: the operator must act.
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  EPROTO: noTls,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: [Code.FailedPrecondition, "has an expired certificate"],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    Code.FailedPrecondition,
    "has a certificate for another host",
  ],
};

/**
 * Turns a failure to talk to a host into a status; the subject names the
 * host ('registry "x"'). The text never comes from the error below: that may
 * hold addresses and URLs with signatures.
 */
export function statusFromTransportError(
  error: unknown,
  subject: string,
): StatusError {
  const refused = error instanceof Error ? (error.cause ?? error) : error;
  if (refused instanceof StatusError) {
    return new StatusError(refused.code, `${subject} ${refused.message}`, {
      cause: error,
    });
  }
  const name = errorCodeOf(error);
  const row = name === undefined ? undefined : rows[name];
  if (row !== undefined) {
    return new StatusError(row[0], `${subject} ${row[1]}`, { cause: error });
  }
  if (name?.startsWith("HPE_") || name?.startsWith("UND_ERR_")) {
    const text = `${subject} breaks the HTTP protocol (${name})`;
    return new StatusError(Code.Internal, text, { cause: error });
  }
  const { code } = toStatusError(error);
  const text = `${subject} cannot be talked to (${name ?? "unknown cause"})`;
  return new StatusError(code, text, { cause: error });
}

function errorCodeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  return "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}
