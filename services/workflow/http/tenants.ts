import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  compileWildcards,
  parseImagePattern,
  parseImageReference,
} from "../../../lib/image/index.js";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import type { NewJob } from "../workflow.js";
import type { TenantConfiguration } from "./http-configuration.js";

/** Whoever sends a request. */
export interface Tenant {
  /** "" where the service has no tenants. */
  readonly name: string;
  /** Throws PermissionDenied for images and secrets that it may not name. */
  checkJob(job: NewJob): void;
}

/** Tells who sends a request, by its Authorization header. */
export interface Tenants {
  /** Throws Unauthenticated. */
  authenticate(authorization: string | undefined): Tenant;
}

/** A token that people could guess is a mistake of the operator. */
const minimumTokenLength = 16;

/**
 * The tenants of a configuration; without any, everyone is the tenant "".
 * Throws InvalidArgument for a token of two tenants, none, or a short one, and
 * for malformed patterns; and what reading the files throws.
 */
export async function configuredTenants(
  configurations: readonly TenantConfiguration[] | undefined,
): Promise<Tenants> {
  if (configurations === undefined) {
    const everyone: Tenant = { name: "", checkJob: () => {} };
    return { authenticate: () => everyone };
  }
  const known = new Map<string, Tenant>();
  const names = new Set<string>();
  for (const configuration of configurations) {
    const { name } = configuration;
    if (names.has(name)) throw wrong(`There are two tenants "${name}"`);
    names.add(name);
    const tenant = createTenant(configuration);
    const digests = await readDigests(configuration);
    if (digests.length === 0) throw wrong(`Tenant "${name}" has no token`);
    for (const digest of digests) {
      if (known.has(digest)) {
        throw wrong(`Tenant "${name}" has a token twice, or another's`);
      }
      known.set(digest, tenant);
    }
  }
  return { authenticate: (header) => authenticate(known, header) };
}

function wrong(text: string): StatusError {
  return new StatusError(Code.InvalidArgument, text);
}

async function readDigests({
  name,
  tokens,
  tokenFile,
}: TenantConfiguration): Promise<readonly string[]> {
  if (tokenFile === undefined) return tokens;
  const text = await readFile(tokenFile, "utf8").catch((error: unknown) => {
    throw wrap(error, `Failed to read tokens of tenant "${name}"`);
  });
  const lines = text.split("\n").map((line) => line.trim());
  const written = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (written.some((token) => !/^[\x21-\x7e]+$/.test(token))) {
    throw wrong(`Tokens of tenant "${name}" must be printable ASCII`);
  }
  if (written.some((token) => token.length < minimumTokenLength)) {
    throw wrong(
      `Tokens of tenant "${name}" must have ${minimumTokenLength} characters or more`,
    );
  }
  const digests = written.map((token) => sha256(token).toString("hex"));
  return [...tokens, ...digests];
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function authenticate(
  known: ReadonlyMap<string, Tenant>,
  header: string | undefined,
): Tenant {
  const token = /^bearer +([\x21-\x7e]+) *$/i.exec(header ?? "")?.[1];
  if (token === undefined) {
    throw new StatusError(
      Code.Unauthenticated,
      'A token is needed: send the header "Authorization: Bearer TOKEN"',
    );
  }
  const digest = sha256(token);
  // All are looked at, whichever it is, and each to its last byte.
  let found: Tenant | undefined;
  for (const [hex, tenant] of known) {
    if (timingSafeEqual(Buffer.from(hex, "hex"), digest)) found = tenant;
  }
  if (found !== undefined) return found;
  throw new StatusError(Code.Unauthenticated, "The token is not known");
}

function createTenant({ name, secrets, images }: TenantConfiguration): Tenant {
  const isSecret = secrets.map(compileWildcards);
  const patterns = images?.map(parseImagePattern);
  const refuse = (text: string) => {
    throw new StatusError(
      Code.PermissionDenied,
      `${text} is not allowed for tenant "${name}"`,
    );
  };
  return {
    name,
    checkJob: ({ steps }) => {
      for (const { name: step, work } of steps) {
        for (const secret of work.secrets) {
          if (isSecret.some((matches) => matches(secret.name))) continue;
          refuse(`Step "${step}": secret "${secret.name}"`);
        }
        if (patterns === undefined) continue;
        const reference = parseImageReference(work.image);
        const isAllowed =
          reference.kind === "registry" &&
          patterns.some((pattern) => pattern.matches(reference));
        if (!isAllowed) refuse(`Step "${step}": image "${reference}"`);
      }
    },
  };
}
