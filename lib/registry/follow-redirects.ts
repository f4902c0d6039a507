import { Code, StatusError } from "../status/index.js";
import type { HttpResponse, HttpTransport } from "./http/http-transport.js";
import { isLoopbackHost, type RegistryEndpoint } from "./registry-endpoint.js";

/** Registries need one, some storage behind them a second. */
const maximumRedirects = 5;

const redirects = new Set([301, 302, 303, 307, 308]);

/** A GET that may be answered by another host than the registry's. */
export interface RedirectableRequest {
  readonly endpoint: RegistryEndpoint;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Value of the Authorization header: for the registry alone. */
  readonly authorization: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The last answer, and whether it is the registry's own. */
export interface RedirectedResponse {
  readonly response: HttpResponse;
  readonly isFromRegistry: boolean;
}

/**
 * Sends a GET to the registry and follows its redirects. Only requests to the
 * registry's own origin (scheme, host and port) carry the authorization, so
 * what is sent elsewhere is as anonymous as the URL in the redirect. Throws
 * Internal on too many hops, PermissionDenied on a hop to plain HTTP or to an
 * address outside of the registry's scope.
 */
export async function followRedirects(
  transport: Pick<HttpTransport, "send">,
  request: RedirectableRequest,
): Promise<RedirectedResponse> {
  const { endpoint, authorization, signal } = request;
  let url = new URL(request.path, endpoint.origin);
  for (let hops = 0; ; hops += 1) {
    const isFromRegistry = url.origin === endpoint.origin;
    const response = await transport.send({
      method: "GET",
      url,
      headers: {
        ...request.headers,
        ...(isFromRegistry && authorization !== undefined
          ? { authorization }
          : {}),
      },
      scope: endpoint.scope,
      subject: subjectOf(url, endpoint),
      signal,
    });
    const location = response.header("location");
    if (!redirects.has(response.status) || location === undefined) {
      return { response, isFromRegistry };
    }
    await response.discard();
    if (hops === maximumRedirects) {
      throw new StatusError(
        Code.Internal,
        `registry "${endpoint.registry}" redirects more than ${maximumRedirects} times`,
      );
    }
    url = redirectTarget(location, url, endpoint);
  }
}

function subjectOf(url: URL, endpoint: RegistryEndpoint): string {
  const registry = `registry "${endpoint.registry}"`;
  return url.origin === endpoint.origin
    ? registry
    : `host "${url.host}", to which ${registry} redirects,`;
}

// No text here shows the URL: its query is often a signature.
function redirectTarget(
  location: string,
  from: URL,
  endpoint: RegistryEndpoint,
): URL {
  const target = URL.canParse(location, from.href)
    ? new URL(location, from)
    : undefined;
  if (
    target === undefined ||
    !["http:", "https:"].includes(target.protocol) ||
    target.username !== "" ||
    target.password !== ""
  ) {
    throw new StatusError(
      Code.Internal,
      `registry "${endpoint.registry}" redirects to something that is no plain HTTP or HTTPS URL`,
    );
  }
  checkDowngrade(target, from, endpoint);
  return target;
}

function checkDowngrade(
  target: URL,
  from: URL,
  endpoint: RegistryEndpoint,
): void {
  if (target.protocol === "https:") return;
  const isAllowed =
    from.protocol === "http:" &&
    endpoint.plainHttp &&
    (isLoopbackHost(target) || endpoint.scope === "private");
  if (!isAllowed) {
    throw new StatusError(
      Code.PermissionDenied,
      `registry "${endpoint.registry}" redirects to plain HTTP at "${target.host}", which is refused`,
    );
  }
}
