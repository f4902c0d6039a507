import { Code, StatusError } from "../status/index.js";
import { type OciDigest, parseOciDigest } from "./oci-digest.js";
import { quote } from "./quote.js";
import {
  dockerHub,
  isRegistryHost,
  parseRegistryHost,
} from "./registry-host.js";

// OCI distribution specification, "Pulling manifests": <name> and <reference
// as a tag>. Registries that store names as paths take 255 bytes at most.
const repositoryForm =
  /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const maximumRepositoryLength = 255;
const tagForm = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/**
 * An image in a registry: registry / repository, and a tag or a digest or
 * both. Valid by construction. Where both are given the digest decides, as
 * with Docker, and the tag is kept only to be shown.
 */
export class RegistryReference {
  readonly kind = "registry";
  /** Canonical host[:port]; Docker Hub is "docker.io". */
  readonly registry: string;
  /** Such as "library/debian". */
  readonly repository: string;
  /** "latest" where the text had neither tag nor digest. */
  readonly tag: string | undefined;
  readonly digest: OciDigest | undefined;

  private constructor(
    registry: string,
    repository: string,
    name: { tag: string | undefined; digest: OciDigest | undefined },
  ) {
    this.registry = registry;
    this.repository = repository;
    this.tag = name.tag;
    this.digest = name.digest;
  }

  /**
   * Parses `[registry/]repository[:tag][@digest]`, without any scheme. Throws
   * InvalidArgument with what to change.
   */
  static parse(text: string): RegistryReference {
    const { rest, digest } = splitDigest(text);
    const { name, tag } = splitTag(rest, digest);
    const slash = name.indexOf("/");
    const first = name.slice(0, Math.max(slash, 0));
    if (slash > 0 && isRegistryHost(first)) {
      const registry = parseRegistryHost(first);
      const repository = parseRepository(registry, name.slice(slash + 1));
      return new RegistryReference(registry, repository, { tag, digest });
    }
    const repository = parseRepository(dockerHub, name);
    return new RegistryReference(dockerHub, repository, { tag, digest });
  }

  /** The same repository's manifest of this digest; the tag stays. */
  withDigest(digest: OciDigest): RegistryReference {
    const { registry, repository, tag } = this;
    return new RegistryReference(registry, repository, { tag, digest });
  }

  /** The same image in another registry, such as a mirror. */
  withRegistry(host: string): RegistryReference {
    const { repository, tag, digest } = this;
    const registry = parseRegistryHost(host);
    return new RegistryReference(registry, repository, { tag, digest });
  }

  /**
   * The canonical form, equal exactly for equal references:
   * `registry/repository@digest`, or `registry/repository:tag` if there is no
   * digest.
   */
  toString(): string {
    const name = `${this.registry}/${this.repository}`;
    if (this.digest !== undefined) return `${name}@${this.digest}`;
    return `${name}:${this.tag}`;
  }
}

function splitDigest(text: string): {
  rest: string;
  digest: OciDigest | undefined;
} {
  const at = text.indexOf("@");
  if (at < 0) return { rest: text, digest: undefined };
  return {
    rest: text.slice(0, at),
    digest: parseOciDigest(text.slice(at + 1), "Digest of image reference"),
  };
}

function splitTag(
  text: string,
  digest: OciDigest | undefined,
): { name: string; tag: string | undefined } {
  // A colon before the last slash belongs to the registry's port.
  const colon = text.indexOf(":", text.lastIndexOf("/") + 1);
  if (colon < 0) {
    const tag = digest === undefined ? "latest" : undefined;
    return { name: text, tag };
  }
  const tag = text.slice(colon + 1);
  if (!tagForm.test(tag)) {
    throw new StatusError(
      Code.InvalidArgument,
      `Tag of image reference must be 1 to 128 letters, digits, ".", "_" or "-", not beginning with "." or "-": current value is ${quote(tag)}`,
    );
  }
  return { name: text.slice(0, colon), tag };
}

function parseRepository(registry: string, text: string): string {
  if (
    !repositoryForm.test(text) ||
    registry.length + text.length > maximumRepositoryLength
  ) {
    throw new StatusError(
      Code.InvalidArgument,
      `Repository of image reference must be lower-case letters and digits, separated by ".", "_", "-" or "/", ${maximumRepositoryLength} characters at most with its registry: current value is ${quote(text)}`,
    );
  }
  const isOfficial = registry === dockerHub && !text.includes("/");
  return isOfficial ? `library/${text}` : text;
}
