import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";
import type { Network } from "./routed-action.js";

const truths = new Set(["true", "yes", "on", "1"]);
const falsehoods = new Set(["false", "no", "off", "0"]);

/**
 * Reads a property that is a switch. Bazel turns a bare tag into a property
 * without a value, so "" counts as true. Throws InvalidArgument.
 */
export function readSwitch(name: string, value: string): boolean {
  const word = value.toLowerCase();
  if (word === "" || truths.has(word)) return true;
  if (falsehoods.has(word)) return false;
  throw invalidProperty(name, value, 'be "true" or "false"');
}

/** What the values of `dockerNetwork` and `network` mean. */
const networks: Readonly<Record<string, Network>> = {
  standard: "host",
  bridge: "host",
  host: "host",
  on: "host",
  off: "none",
  none: "none",
};

/** Reads a property that names a network. Throws InvalidArgument. */
export function readNetwork(name: string, value: string): Network {
  const word = value.toLowerCase();
  const network = Object.hasOwn(networks, word) ? networks[word] : undefined;
  if (network !== undefined) return network;
  throw invalidProperty(name, value, 'be "standard" or "off"');
}

/** The largest uid is -1 in the kernel's eyes: "leave it". */
const maximumId = 2 ** 32 - 2;

/**
 * A user as the helper's flag says it, "root" or "uid[:gid]", or undefined if
 * the text is neither: names stand in the image, which the router never reads.
 */
export function tryParseUser(text: string): string | undefined {
  if (text === "root" || text === "0") return "root";
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null) return undefined;
  const ids = match.slice(1).filter((id) => id !== undefined);
  if (ids.some((id) => Number(id) > maximumId)) return undefined;
  return ids.map(Number).join(":");
}

/** The error of a value that its property cannot have. */
export function invalidProperty(
  name: string,
  value: string,
  rule: string,
): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `Platform property ${quote(name)} must ${rule}: current value is ${quote(value)}`,
  );
}
