import { Code, StatusError } from "../../../lib/status/index.js";
import {
  type OptionTable,
  parseOptions,
  usageError,
} from "../parse-options.js";

/** What all commands on jobs take. */
export const commonOptions = {
  server: { type: "string" },
  "token-file": { type: "string" },
  json: { type: "boolean", default: false },
} as const satisfies OptionTable;

/** Where `berth up` serves jobs, unless it is told otherwise. */
export const defaultServer = "http://127.0.0.1:3000";

/**
 * Parses a command's arguments. There must be as many operands as named; the
 * last one may be followed by dots, for several. Throws InvalidArgument.
 */
export function parseJobArguments<Options extends OptionTable>(
  args: readonly string[],
  options: Options,
  operands: readonly string[],
) {
  const parsed = parseOptions("job", args, options);
  const given = [...parsed.positionals, ...(parsed.rest ?? [])];
  const missing = operands[given.length];
  if (missing !== undefined) {
    throw usageError("job", `No ${missing.replace("…", "")} given`);
  }
  const extra = given[operands.length];
  const takesMany = operands.at(-1)?.endsWith("…") === true;
  if (extra !== undefined && !takesMany) {
    throw usageError("job", `"${extra}" is one argument too many`);
  }
  return { values: parsed.values, operands: given };
}

/** --server, BERTH_SERVER or the usual address; throws InvalidArgument. */
export function chooseServer(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
): URL {
  const text = flag ?? (env.BERTH_SERVER || defaultServer);
  const name = flag === undefined ? "BERTH_SERVER" : "--server";
  // "localhost:3000" would be a URL of the scheme "localhost".
  const isUrl = /^https?:\/\/[^/]/.test(text) && URL.canParse(text);
  const url = isUrl ? new URL(text) : undefined;
  if (url === undefined || url.search !== "" || url.hash !== "") {
    throw usageError(
      "job",
      `${name} must be an address such as "${defaultServer}": current value is "${text}"`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    // Not quoted: it holds a password.
    throw usageError(
      "job",
      `${name} must hold no user and no password: give a token by --token-file`,
    );
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/**
 * The token in what a file or variable holds, its first line. Throws
 * InvalidArgument, without quoting it, for what no header can carry.
 */
export function parseToken(text: string, where: string): string {
  const token = text.split("\n", 1)[0]?.trim() ?? "";
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new StatusError(
    Code.InvalidArgument,
    `The first line of ${where} must be a token, of printable characters`,
  );
}
