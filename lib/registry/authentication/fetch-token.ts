import { Code, StatusError } from "../../status/index.js";
import type { HttpResponse, HttpTransport } from "../http/http-transport.js";
import { readCapped } from "../http/read-capped.js";
import { statusFromResponse } from "../http/status-from-response.js";
import { isLoopbackHost, type RegistryEndpoint } from "../registry-endpoint.js";
import { basicAuthorization, type Credential } from "./credential.js";

/** Where a registry's tokens are made, as its challenge says. */
export interface TokenRequest {
  readonly endpoint: RegistryEndpoint;
  /** The challenge's `realm`: a URL that the registry chose. */
  readonly realm: string;
  readonly service: string | undefined;
  readonly scope: string;
  readonly credential: Credential | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A token, and how long it is good for. */
export interface Token {
  readonly token: string;
  readonly lifetimeMs: number;
}

/** Tokens have one or a few kilobytes, also those that list permissions. */
const maximumTokenBytes = 256 * 1024;

/** What the specification says where the answer does not ("expires_in"). */
const defaultLifetimeSeconds = 60;

/**
 * Gets a bearer token (Docker registry documentation, "Token Authentication
 * Specification" and "OAuth2"). The credential is sent only to a realm on one
 * of the registry's realm hosts; redirects are not followed. Throws
 * PermissionDenied for another realm host, Unauthenticated when the realm
 * refuses the credential, Unavailable when another attempt may help.
 */
export async function fetchToken(
  transport: HttpTransport,
  request: TokenRequest,
): Promise<Token> {
  const { endpoint, credential, signal } = request;
  const url = checkRealm(request);
  const subject = `token realm "${url.host}" of registry "${endpoint.registry}"`;
  const parameters = new URLSearchParams({ scope: request.scope });
  if (request.service !== undefined) {
    parameters.set("service", request.service);
  }
  const common = { scope: endpoint.scope, subject, signal } as const;
  if (credential?.kind === "identityToken") {
    parameters.set("grant_type", "refresh_token");
    parameters.set("client_id", "berth");
    parameters.set("refresh_token", credential.token);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = parameters.toString();
    return readToken(
      await transport.send({ method: "POST", url, headers, body, ...common }),
      request,
    );
  }
  for (const [name, value] of parameters) url.searchParams.set(name, value);
  const headers: Record<string, string> =
    credential === undefined
      ? {}
      : { authorization: basicAuthorization(credential) };
  return readToken(
    await transport.send({ method: "GET", url, headers, ...common }),
    request,
  );
}

function checkRealm({ endpoint, realm, credential }: TokenRequest): URL {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const isPlainHttp = url?.protocol === "http:";
  if (
    url === undefined ||
    !(isPlainHttp || url.protocol === "https:") ||
    url.username !== "" ||
    url.password !== ""
  ) {
    throw new StatusError(
      Code.Internal,
      `registry "${endpoint.registry}" names a token realm that is no plain HTTP or HTTPS URL`,
    );
  }
  if (isPlainHttp && !(endpoint.plainHttp && isNearby(url, endpoint))) {
    throw new StatusError(
      Code.PermissionDenied,
      `registry "${endpoint.registry}" names a token realm with plain HTTP at "${url.host}", which is refused`,
    );
  }
  if (credential !== undefined && !endpoint.realmHosts.has(url.host)) {
    throw new StatusError(
      Code.PermissionDenied,
      `registry "${endpoint.registry}" wants its credential sent to "${url.host}", which is none of its realm hosts (the operator can add it to "realmHosts" of this registry)`,
    );
  }
  return url;
}

function isNearby(url: URL, endpoint: RegistryEndpoint): boolean {
  return isLoopbackHost(url) || endpoint.realmHosts.has(url.host);
}

async function readToken(
  response: HttpResponse,
  request: TokenRequest,
): Promise<Token> {
  const { registry } = request.endpoint;
  if (response.status === 401 || response.status === 403) {
    await response.discard();
    throw new StatusError(
      Code.Unauthenticated,
      request.credential === undefined
        ? `registry "${registry}" wants credentials, and none are configured for it`
        : `${response.subject} refuses the credentials configured for that registry`,
    );
  }
  if (response.status !== 200) throw await statusFromResponse(response);
  const subject = `Token of registry "${registry}"`;
  const data = await readCapped(response, subject, maximumTokenBytes);
  return parseToken(data, response.subject);
}

// The answer's text must not reach any error: it holds the token.
function parseToken(data: Uint8Array, subject: string): Token {
  const answer = tryParseJson(data);
  const field = (name: string): unknown =>
    new Map(Object.entries(answer ?? {})).get(name);
  const token = field("token") || field("access_token");
  // Anything else could not stand in a header.
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new StatusError(Code.Internal, `${subject} answers without a token`);
  }
  const seconds = Number(field("expires_in") ?? defaultLifetimeSeconds);
  const isUsable = Number.isFinite(seconds) && seconds >= 0;
  const lifetimeMs = (isUsable ? seconds : defaultLifetimeSeconds) * 1000;
  return { token, lifetimeMs };
}

function tryParseJson(data: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString());
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // the parser's error would quote the text
  }
}
