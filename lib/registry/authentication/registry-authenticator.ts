import { LRUCache } from "lru-cache";
import { SingleFlight } from "../../single-flight/index.js";
import { Code, StatusError } from "../../status/index.js";
import type { HttpTransport } from "../http/http-transport.js";
import type { RegistryEndpoint } from "../registry-endpoint.js";
import { basicAuthorization, type CredentialStore } from "./credential.js";
import { fetchToken } from "./fetch-token.js";
import { type Challenge, parseChallenges } from "./parse-challenges.js";

/** A registry's refusal, to be answered with an authorization. */
export interface Refusal {
  readonly endpoint: RegistryEndpoint;
  readonly repository: string;
  /** Its WWW-Authenticate header. */
  readonly header: string | undefined;
  /** The authorization that it refused. */
  readonly refused: Authorization | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What a request says of who asks. */
export interface Authorization {
  /** Value of the Authorization header. */
  readonly header: string;
  /** Whether it was made of a credential, and is no anonymous token. */
  readonly isPrivate: boolean;
}

/** Repositories in use at one time; each entry is a token of kilobytes. */
const maximumEntries = 1000;

/** A token is not used in its last seconds: it must outlive the request. */
const expiryMarginMs = 10_000;

/** A password is asked for again after this long: helpers rotate them. */
const passwordLifetimeMs = 300_000;

/**
 * Answers registries' challenges, and remembers each answer for its registry
 * and repository as long as it is good. Callers with the same challenge at
 * the same time share one token request.
 */
export class RegistryAuthenticator {
  readonly #transport: HttpTransport;
  readonly #credentials: CredentialStore;
  readonly #known: LRUCache<string, Authorization>;
  readonly #requests = new SingleFlight<Authorization>();

  constructor(options: {
    readonly transport: HttpTransport;
    readonly credentials: CredentialStore;
    /** Milliseconds, on a clock that never goes back. */
    readonly now: () => number;
  }) {
    this.#transport = options.transport;
    this.#credentials = options.credentials;
    this.#known = new LRUCache({
      max: maximumEntries,
      perf: { now: options.now },
      ttlResolution: 0,
    });
  }

  /** The authorization known for a repository, if there is one. */
  known(
    endpoint: RegistryEndpoint,
    repository: string,
  ): Authorization | undefined {
    return this.#known.get(keyOf(endpoint, repository));
  }

  /**
   * An authorization in answer to a refusal. Throws Unauthenticated
   * when there is none left to try, and what fetchToken throws.
   */
  async answer(refusal: Refusal): Promise<Authorization> {
    const key = keyOf(refusal.endpoint, refusal.repository);
    const known = this.#known.get(key);
    // Somebody else has met the same challenge in the meantime.
    if (known !== undefined && known.header !== refusal.refused?.header) {
      return known;
    }
    this.#known.delete(key);
    return this.#requests.run(
      key,
      (signal) => this.#authorize(key, { ...refusal, signal }),
      refusal.signal,
    );
  }

  async #authorize(key: string, refusal: Refusal): Promise<Authorization> {
    const { endpoint, signal } = refusal;
    const challenges = parseChallenges(refusal.header ?? "");
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined)
      return this.#authorizeBearer(key, refusal, bearer);
    if (!challenges.some(({ scheme }) => scheme === "basic")) {
      throw new StatusError(
        Code.Unauthenticated,
        `registry "${endpoint.registry}" wants a kind of credentials that is not supported (neither Basic nor Bearer)`,
      );
    }
    const credential = await this.#credentials.find(
      endpoint.registry,
      signal === undefined ? {} : { signal },
    );
    if (credential?.kind !== "password") throw noCredentialFor(endpoint);
    const header = basicAuthorization(credential);
    if (header === refusal.refused?.header) throw refusedBy(endpoint);
    const authorization = { header, isPrivate: true };
    this.#known.set(key, authorization, { ttl: passwordLifetimeMs });
    return authorization;
  }

  async #authorizeBearer(
    key: string,
    refusal: Refusal,
    challenge: Challenge,
  ): Promise<Authorization> {
    const { endpoint, signal } = refusal;
    const credential = await this.#credentials.find(
      endpoint.registry,
      signal === undefined ? {} : { signal },
    );
    const token = await fetchToken(this.#transport, {
      endpoint,
      realm: challenge.parameters.get("realm") ?? "",
      service: challenge.parameters.get("service"),
      scope: scopeOf(challenge, refusal.repository),
      credential,
      signal,
    });
    const authorization = {
      header: `Bearer ${token.token}`,
      isPrivate: credential !== undefined,
    };
    const ttl = Math.max(1, token.lifetimeMs - expiryMarginMs);
    this.#known.set(key, authorization, { ttl });
    return authorization;
  }
}

function keyOf(endpoint: RegistryEndpoint, repository: string): string {
  return `${endpoint.registry}/${repository}`;
}

/**
 * The scope to ask for: the challenge's own, since some registries name a
 * repository differently inside, but never one that grants more than pull.
 */
function scopeOf(challenge: Challenge, repository: string): string {
  const offered = challenge.parameters.get("scope") ?? "";
  return /^repository:[^\s:]+:pull$/.test(offered)
    ? offered
    : `repository:${repository}:pull`;
}

function noCredentialFor(endpoint: RegistryEndpoint): StatusError {
  return new StatusError(
    Code.Unauthenticated,
    `registry "${endpoint.registry}" wants credentials, and none are configured for it`,
  );
}

function refusedBy(endpoint: RegistryEndpoint): StatusError {
  return new StatusError(
    Code.Unauthenticated,
    `registry "${endpoint.registry}" refuses the credentials configured for it`,
  );
}
