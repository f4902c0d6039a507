import { isIP } from "node:net";
import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";
import { isRegistryHost, parseRegistryHost } from "./registry-host.js";
import type { RegistryReference } from "./registry-reference.js";
import { compileWildcards } from "./wildcards.js";

/** A pattern of an image policy, ready to be matched. */
export interface ImagePattern {
  /** As the operator wrote it. */
  readonly text: string;
  /** Whether it allows this image, whatever its tag or digest. */
  matches(reference: RegistryReference): boolean;
}

/**
 * Parses `registry/repository` with wildcards. In the repository "*" stands
 * for characters of one component, and "**" for any number of components. The
 * registry is a host, or begins with "*." for one label before a domain, or
 * is "*" for any host name. Wildcards never stand for IP addresses or for
 * names without a dot: those can be this machine or its network, so each has
 * to be written out. "**" alone is short for "*" and any repository.
 * Throws InvalidArgument.
 */
export function parseImagePattern(text: string): ImagePattern {
  const slash = text.indexOf("/");
  const full = text === "**" ? "*/**" : text;
  const host = full.slice(0, full.indexOf("/"));
  const repository = full.slice(full.indexOf("/") + 1);
  if (
    (slash < 1 && text !== "**") ||
    !(host.startsWith("*") || isRegistryHost(host)) ||
    !/^[a-z0-9*]([a-z0-9._*/-]*[a-z0-9*])?$/.test(repository)
  ) {
    throw new StatusError(
      Code.InvalidArgument,
      `Image pattern must be registry/repository with the registry written out, such as "docker.io/library/*": current value is ${quote(text)}`,
    );
  }
  const matchesHost = hostMatcher(host, text);
  const matchesRepository = compileWildcards(repository);
  return {
    text,
    matches: (reference) =>
      matchesHost(reference.registry) &&
      matchesRepository(reference.repository),
  };
}

function hostMatcher(host: string, text: string): (host: string) => boolean {
  if (!host.includes("*")) {
    const wanted = parseRegistryHost(host);
    return (registry) => registry === wanted;
  }
  if (host === "*") return isPlainName;
  const domain = host.slice(1);
  if (!domain.startsWith(".") || domain.includes("*")) {
    throw new StatusError(
      Code.InvalidArgument,
      `Registry of image pattern may have "*" only alone or before a domain ("*.example.com"): current value is ${quote(text)}`,
    );
  }
  const suffix = `.${parseRegistryHost(domain.slice(1))}`;
  return (registry) =>
    isPlainName(registry) &&
    registry.endsWith(suffix) &&
    !registry.slice(0, -suffix.length).includes(".");
}

/** A name with a dot in it, on whatever port. */
export function isPlainName(registry: string): boolean {
  const name = registry.replace(/:[0-9]+$/, "");
  return name.includes(".") && !name.startsWith("[") && isIP(name) === 0;
}
