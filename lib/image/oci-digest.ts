import { createHash } from "node:crypto";
import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/**
 * A checked OCI digest, `sha256:` and 64 lower-case hexadecimal digits (OCI
 * image specification, descriptor.md, "Digests"); make one with
 * parseOciDigest. Unlike lib/digest's Digest it does not hold a size.
 */
export type OciDigest = string & { readonly OciDigest: unique symbol };

const form = /^sha256:[0-9a-f]{64}$/;

/**
 * Checks a digest's text. Throws InvalidArgument, beginning with the subject
 * ("Digest of layer 2"). sha512, which the specification allows, is refused
 * too: CAS and root store name files by SHA-256.
 */
export function parseOciDigest(text: unknown, subject: string): OciDigest {
  if (typeof text !== "string" || !form.test(text)) {
    throw new StatusError(
      Code.InvalidArgument,
      `${subject} must be "sha256:" and 64 lower-case hexadecimal digits: current value is ${quote(text)}`,
    );
  }
  return text as OciDigest; // the brand is the check
}

/** The digest of these bytes. */
export function ociDigestOf(data: Uint8Array): OciDigest {
  const hash = createHash("sha256").update(data).digest("hex");
  return `sha256:${hash}` as OciDigest; // computed, so well formed
}

/** The 64 hexadecimal digits, which name files in the root store. */
export function hashOfOciDigest(digest: OciDigest): string {
  return digest.slice("sha256:".length);
}
