import { spawn } from "node:child_process";
import { once } from "node:events";
import { Code, StatusError, toStatusError } from "../../status/index.js";
import type { FetchOptions } from "../image-source.js";
import type { Credential } from "./credential.js";

/** A helper may ask a cloud's service; more would stall a whole build. */
const timeoutMs = 30_000;

/** Tokens of clouds have a few kilobytes. */
const maximumOutputBytes = 64 * 1024;

/** How a helper is run. */
export interface CredentialProgramOptions extends FetchOptions {
  /** Its environment, and the PATH it is found on; default: our own. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Asks `docker-credential-{name} get` for the credential of a server (Docker
 * documentation, "Credential helper protocol"): the server on standard input,
 * JSON or a text that says "credentials not found" on standard output. The
 * program is looked for on PATH. Returns undefined if it knows none. Throws
 * FailedPrecondition when it cannot be run or fails; its output is never
 * shown, for it may hold secrets.
 */
export async function runCredentialProgram(
  name: string,
  server: string,
  options: CredentialProgramOptions = {},
): Promise<Credential | undefined> {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw failed("its name must be letters, digits, '.', '_' or '-'", name);
  }
  const { status, output } = await run(name, server, options);
  if (status === 0) return parseOutput(output, name);
  if (/credentials not found/i.test(output)) return undefined;
  throw failed(`it ended with exit status ${status}`, name);
}

async function run(
  name: string,
  input: string,
  { env, signal }: CredentialProgramOptions,
): Promise<{ status: number | null; output: string }> {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const child = spawn(`docker-credential-${name}`, ["get"], {
      stdio: ["pipe", "pipe", "ignore"],
      killSignal: "SIGKILL",
      ...(env === undefined ? {} : { env }),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    const ended = once(child, "close");
    child.stdin.on("error", () => {}); // it may end without reading
    child.stdin.end(input);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.length <= maximumOutputBytes) return;
      child.kill("SIGKILL");
      // Its own children may hold the other end: killing it is not enough.
      child.stdout.destroy();
    });
    const [status] = (await ended) as [number | null]; // as "close" is defined
    return { status, output };
  } catch (error) {
    if (signal?.aborted === true) throw toStatusError(signal.reason);
    if (limit.aborted) throw failed("it does not end", name);
    const isMissing = toStatusError(error).code === Code.NotFound;
    const cause = isMissing ? "it is not on PATH" : "it cannot be started";
    throw failed(cause, name);
  }
}

function parseOutput(output: string, name: string): Credential {
  const value = tryParse(output);
  const username = value?.get("Username");
  const secret = value?.get("Secret");
  if (typeof username !== "string" || typeof secret !== "string") {
    throw failed("its output lacks Username or Secret", name);
  }
  return username === "<token>"
    ? { kind: "identityToken", token: secret }
    : { kind: "password", username, password: secret };
}

function tryParse(output: string): Map<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(output);
    return typeof value === "object" && value !== null
      ? new Map(Object.entries(value))
      : undefined;
  } catch {
    return undefined; // the parser's error would quote the secret
  }
}

function failed(cause: string, name: string): StatusError {
  return new StatusError(
    Code.FailedPrecondition,
    `Failed to run credential helper "${name}": ${cause}`,
  );
}
