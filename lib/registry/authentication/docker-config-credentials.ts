import { readFile } from "node:fs/promises";
import { parseRegistryHost } from "../../image/index.js";
import { Code, StatusError, wrap } from "../../status/index.js";
import type { Credential, CredentialStore } from "./credential.js";
import {
  type CredentialProgramOptions,
  runCredentialProgram,
} from "./credential-program.js";

type Fields = ReadonlyMap<string, unknown>;

/** How Docker's own files and helpers call Docker Hub. */
const dockerHubServer = "https://index.docker.io/v1/";

/**
 * Finds credentials as Docker does in its config.json (Docker documentation,
 * "docker login"): the registry's entry of `credHelpers`, else `credsStore`,
 * else its entry of `auths`. The file is read each time, so that it may be
 * replaced while we run. Throws FailedPrecondition, without quoting anything
 * of it, when the file is missing or malformed.
 */
export function createDockerConfigCredentials(
  path: string,
  helperOptions: Pick<CredentialProgramOptions, "env"> = {},
): CredentialStore {
  return {
    find: async (registry, options = {}) => {
      const config = await readConfig(path);
      const helpers = byHost(fieldsOf(config.get("credHelpers")));
      const own = helpers.get(registry);
      const name = own?.value ?? config.get("credsStore");
      if (typeof name === "string" && name !== "") {
        const server = own?.key ?? serverOf(registry);
        const found = await runCredentialProgram(name, server, {
          ...options,
          ...helperOptions,
        });
        if (found !== undefined) return found;
      }
      const auths = byHost(fieldsOf(config.get("auths")));
      return parseAuth(fieldsOf(auths.get(registry)?.value), registry);
    },
  };
}

async function readConfig(path: string): Promise<Fields> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const doing = "Failed to read Docker configuration file";
    throw wrap(error, doing, Code.FailedPrecondition);
  }
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    // The parser's error would quote the file.
    const text = `Docker configuration file "${path}" is not JSON`;
    throw new StatusError(Code.FailedPrecondition, text);
  }
}

function fieldsOf(value: unknown): Fields {
  return new Map(
    Object.entries(typeof value === "object" && value !== null ? value : {}),
  );
}

/** By canonical host; keys were written as URLs once, and some still are. */
function byHost(
  fields: Fields,
): ReadonlyMap<string, { readonly key: string; readonly value: unknown }> {
  const found = new Map<string, { key: string; value: unknown }>();
  for (const [key, value] of fields) {
    const host = tryParseHost(key);
    if (host !== undefined) found.set(host, { key, value });
  }
  return found;
}

function tryParseHost(key: string): string | undefined {
  const match = /^(?:https?:\/\/)?([^/]+)(?:\/v[12]\/?|\/)?$/.exec(key);
  try {
    return parseRegistryHost(match?.[1] ?? "");
  } catch {
    return undefined; // of another tool, such as one repository's credential
  }
}

function serverOf(registry: string): string {
  return registry === "docker.io" ? dockerHubServer : registry;
}

function parseAuth(auth: Fields, registry: string): Credential | undefined {
  const text = (name: string): string | undefined => {
    const value = auth.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const token = text("identitytoken");
  if (token !== undefined) return { kind: "identityToken", token };
  const pair = text("auth");
  if (pair === undefined) {
    const username = text("username");
    const password = text("password");
    return username === undefined || password === undefined
      ? undefined
      : { kind: "password", username, password };
  }
  const decoded = Buffer.from(pair, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1) {
    throw new StatusError(
      Code.FailedPrecondition,
      `Docker configuration file has a malformed "auth" for registry "${registry}"`,
    );
  }
  return {
    kind: "password",
    username: decoded.slice(0, colon),
    // Docker pads with NUL characters.
    password: decoded.slice(colon + 1).replace(/\0+$/, ""),
  };
}
