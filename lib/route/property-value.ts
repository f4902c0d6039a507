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
 * A user as the helper's flag says it, "root" or "user[:group]" of numbers and
 * names, or undefined if the text is neither. What a name stands for is in the
 * image, which the helper reads and the router does not.
 */
export function tryParseUser(text: string): string | undefined {
  if (text === "root" || text === "0") return "root";
  const parts = text.split(":").map(tryParseId);
  return parts.length > 2 || parts.includes(undefined)
    ? undefined
    : parts.join(":");
}

function tryParseId(text: string): string | undefined {
  if (/^\d+$/.test(text)) {
    return Number(text) > maximumId ? undefined : `${Number(text)}`;
  }
  return /^(?!-)[^\s\p{Cc}:/]{1,255}$/u.test(text) ? text : undefined;
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
