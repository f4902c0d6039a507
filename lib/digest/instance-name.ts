import { Code, StatusError } from "../status/index.js";

/** Words that REAPI keeps for resource names, so no instance may use them. */
const reserved = new Set([
  "blobs",
  "uploads",
  "actions",
  "actionResults",
  "operations",
  "capabilities",
  "compressed-blobs",
]);

/** A checked instance name; make one with parseInstanceName. */
export type InstanceName = string & { readonly InstanceName: unique symbol };

/**
 * Checks an instance name (REAPI, `instance_name`): empty, or components
 * joined by "/", none of them empty, ".", "..", or a word that resource names
 * use. Throws InvalidArgument.
 */
export function parseInstanceName(text: string): InstanceName {
  if (text === "") return text as InstanceName; // the brand is the check
  const bad = text
    .split("/")
    .find((part) => !/^[\w.@:+~-]{1,128}$/.test(part) || isSpecial(part));
  if (bad !== undefined || text.length > 1024) {
    throw new StatusError(
      Code.InvalidArgument,
      `Instance name must consist of plain components joined by "/": current value is "${text.slice(0, 80)}"`,
    );
  }
  return text as InstanceName; // the brand is the check
}

function isSpecial(part: string): boolean {
  return part === "." || part === ".." || reserved.has(part);
}
