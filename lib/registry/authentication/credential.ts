import type { FetchOptions } from "../image-source.js";

/** What proves to a registry who we are. Never shown in any text. */
export type Credential =
  | {
      readonly kind: "password";
      readonly username: string;
      readonly password: string;
    }
  /** A refresh token, exchanged at the realm (Docker's `identitytoken`). */
  | { readonly kind: "identityToken"; readonly token: string };

/** Knows the credentials of registries. */
export interface CredentialStore {
  /**
   * The credential of exactly this registry (canonical host[:port]);
   * undefined if there is none. Throws FailedPrecondition when it is
   * configured but cannot be had.
   */
  find(
    registry: string,
    options?: FetchOptions,
  ): Promise<Credential | undefined>;
}

/** Has none: every registry is used anonymously. */
export const noCredentials: CredentialStore = {
  find: () => Promise.resolve(undefined),
};

/** The value of an Authorization header (RFC 7617). */
export function basicAuthorization(
  credential: Extract<Credential, { kind: "password" }>,
): string {
  const pair = `${credential.username}:${credential.password}`;
  return `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
}
