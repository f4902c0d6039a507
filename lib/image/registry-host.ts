import { isIP } from "node:net";
import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/** Names that Docker Hub is known by; the first one is canonical. */
const dockerHubHosts = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
]);

/** The canonical name of Docker Hub. */
export const dockerHub = "docker.io";

// Labels as RFC 1123, section 2.1; 253 characters as RFC 1035, section 2.3.4.
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const maximumHostLength = 253;

/**
 * Whether the first component of a reference is a registry's host and not
 * the beginning of a repository on Docker Hub: it holds "." or ":", or is
 * "localhost" (as Docker decides it).
 */
export function isRegistryHost(component: string): boolean {
  return /[.:[]/.test(component) || component.toLowerCase() === "localhost";
}

/**
 * Makes a registry's host, `host[:port]`, canonical, so that one registry has
 * one name: lower case, without ":443" unless it is that which tells it from a
 * repository on Docker Hub, Docker Hub as "docker.io", IPv6 in its shortest
 * form. Throws InvalidArgument for what is no host, among it a
 * final dot and numbers that resolvers would read as an IPv4 address
 * ("127.1", "0x7f.0.0.1"): they only serve to slip past an allow-list.
 */
export function parseRegistryHost(text: string): string {
  const match = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(text);
  if (match === null) refuse(text, 'host or host:port, such as "ghcr.io"');
  const port = parsePort(text, match[2]);
  const host = canonicalHost(text, (match[1] ?? "").toLowerCase());
  const isDefaultPort = port === "" || port === ":443";
  if (dockerHubHosts.has(host) && isDefaultPort) return dockerHub;
  return isDefaultPort && isRegistryHost(host) ? host : host + port;
}

function canonicalHost(text: string, host: string): string {
  if (host.startsWith("[")) {
    const address = host.slice(1, -1);
    // A zone ("%eth0") selects one of our network interfaces: not a client's.
    if (isIP(address) !== 6 || address.includes("%")) {
      refuse(text, "an IPv6 address within the brackets");
    }
    return new URL(`http://${host}`).hostname;
  }
  if (isIP(host) === 4) return host;
  if (host.endsWith(".")) refuse(text, "a host without a final dot");
  const labels = host.split(".");
  if (host.length > maximumHostLength || !labels.every((l) => label.test(l))) {
    refuse(text, "a host name of letters, digits, hyphens and dots");
  }
  // What the URL standard calls "ends in a number" is taken for IPv4.
  if (/^([0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) {
    refuse(text, "a host name, or an IPv4 address as four decimal numbers");
  }
  return host;
}

function parsePort(text: string, digits: string | undefined): string {
  if (digits === undefined) return "";
  const port = Number(digits);
  if (port < 1 || port > 65535 || String(port) !== digits) {
    refuse(text, "a port from 1 to 65535 after the colon");
  }
  return `:${port}`;
}

function refuse(text: string, wanted: string): never {
  throw new StatusError(
    Code.InvalidArgument,
    `Registry must be ${wanted}: current value is ${quote(text)}`,
  );
}
