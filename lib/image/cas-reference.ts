import { Digest } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/**
 * A file tree that is in CAS already: `cas://{hash}/{size}`, the digest of
 * its root Directory (REAPI).
 */
export interface CasReference {
  readonly kind: "cas";
  readonly directoryDigest: Digest;
  /** The canonical form, equal exactly for equal references. */
  toString(): string;
}

/** Parses what follows "cas://". Throws InvalidArgument. */
export function parseCasReference(text: string): CasReference {
  const match = /^([0-9a-f]{64})\/(0|[1-9][0-9]{0,14})$/.exec(text);
  if (match === null) {
    throw new StatusError(
      Code.InvalidArgument,
      `Tree in CAS must be named as cas://<64 hexadecimal digits>/<size in bytes>: current value is ${quote(`cas://${text}`)}`,
    );
  }
  const directoryDigest = Digest.create(match[1] ?? "", Number(match[2]));
  return {
    kind: "cas",
    directoryDigest,
    toString: () => `cas://${directoryDigest}`,
  };
}
