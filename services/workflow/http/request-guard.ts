import { isIP } from "node:net";
import { Code } from "../../../lib/status/index.js";
import { HttpError } from "./http-error.js";

/** What the guard looks at. */
export interface GuardedRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Refuses what a web page elsewhere could make a browser send here, since the
 * server listens where the browser's user can reach it: requests under a name
 * that is not the server's (421), and requests that change something and come
 * from another origin (403). Programs send neither.
 */
export function createRequestGuard(
  hosts: readonly string[],
): (request: GuardedRequest) => void {
  const known = new Set(hosts.map((host) => host.toLowerCase()));
  return ({ method, headers }) => {
    const host = first(headers.host).toLowerCase();
    const name = nameOf(host);
    if (!known.has(host) && !known.has(name) && !isOfThisMachine(name)) {
      throw new HttpError(
        421,
        Code.PermissionDenied,
        "This server does not go by the name of the Host header: add it to `hosts` of its configuration",
      );
    }
    if (method === "GET" || method === "HEAD" || method === "OPTIONS") return;
    const site = first(headers["sec-fetch-site"]).toLowerCase();
    const isForeign =
      !["", "none", "same-origin"].includes(site) ||
      !isOwnOrigin(headers.origin, host);
    if (isForeign) {
      throw new HttpError(
        403,
        Code.PermissionDenied,
        "Requests of pages of another origin are refused",
      );
    }
  };
}

function first(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? "";
}

/** Host without port and brackets. */
function nameOf(host: string): string {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(host);
  return match?.[1] ?? match?.[2] ?? "";
}

// A name that the user's resolver answers can lead anywhere; an address and
// "localhost" (RFC 6761) cannot.
function isOfThisMachine(name: string): boolean {
  const plain = name.replace(/\.$/, "");
  return (
    isIP(name) !== 0 || plain === "localhost" || plain.endsWith(".localhost")
  );
}

function isOwnOrigin(
  origin: string | string[] | undefined,
  host: string,
): boolean {
  if (origin === undefined) return true;
  const match = /^https?:\/\/([^/]+)$/.exec(first(origin).toLowerCase());
  return match !== null && match[1] === host;
}
