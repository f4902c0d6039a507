import { Code, StatusError } from "../status/index.js";
import type { RegistryAuthenticator } from "./authentication/registry-authenticator.js";
import { followRedirects } from "./follow-redirects.js";
import type { HttpResponse, HttpTransport } from "./http/http-transport.js";
import { type Attempt, parseRetryAfter } from "./http/retry.js";
import { statusFromResponse } from "./http/status-from-response.js";
import type { RegistryEndpoint } from "./registry-endpoint.js";

/** A GET for something of one repository. */
export interface RegistryRequest {
  readonly endpoint: RegistryEndpoint;
  readonly repository: string;
  /** Beneath /v2/{repository}/. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Statuses that are a success. */
  readonly wanted: readonly number[];
  readonly signal: AbortSignal | undefined;
}

/** An answer of success. */
export interface RegistryResponse {
  readonly response: HttpResponse;
  /** Whether it was given to a credential of ours. */
  readonly isPrivate: boolean;
}

/** What sends registry requests. */
export interface RegistryRequestOptions {
  readonly transport: HttpTransport;
  readonly authenticator: RegistryAuthenticator;
}

/**
 * Makes one attempt: sends the request with what authorization is known,
 * answers a challenge (twice at most: a kept token may have expired), follows
 * redirects. The answer's body is the caller's.
 */
export async function attemptRegistryRequest(
  request: RegistryRequest,
  options: RegistryRequestOptions,
): Promise<Attempt<RegistryResponse>> {
  const { endpoint, repository, signal } = request;
  const { transport, authenticator } = options;
  let authorization = authenticator.known(endpoint, repository);
  for (let answered = 0; ; answered += 1) {
    const { response, isFromRegistry } = await followRedirects(transport, {
      endpoint,
      path: `/v2/${repository}/${request.path}`,
      headers: request.headers,
      authorization: authorization?.header,
      signal,
    });
    if (request.wanted.includes(response.status)) {
      const isPrivate = authorization?.isPrivate ?? false;
      return { value: { response, isPrivate } };
    }
    // A challenge of a host that the registry redirects to is not answered:
    // it would get a credential that is not its own.
    if (response.status !== 401 || !isFromRegistry) {
      const header = response.header("retry-after");
      const retryAfterMs = parseRetryAfter(header, Date.now());
      return { failure: await statusFromResponse(response), retryAfterMs };
    }
    await response.discard();
    if (answered === 2) throw refusal(request);
    authorization = await authenticator.answer({
      endpoint,
      repository,
      header: response.header("www-authenticate"),
      refused: authorization,
      signal,
    });
  }
}

function refusal({ endpoint, repository }: RegistryRequest): StatusError {
  return new StatusError(
    Code.Unauthenticated,
    `registry "${endpoint.registry}" does not let the credentials configured for it, or anybody without credentials, read repository "${repository}"`,
  );
}
