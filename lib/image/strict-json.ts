import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/** Deeper than any OCI document; keeps recursion within the stack. */
const maximumDepth = 32;

/**
 * Parses JSON that nobody may read in two ways: UTF-8 without errors, no
 * object with the same key twice (readers differ on which one counts), and a
 * bounded depth. Throws InvalidArgument, beginning with the subject
 * ("Manifest").
 */
export function parseStrictJson(data: Uint8Array, subject: string): unknown {
  const text = decode(data, subject);
  checkNesting(text, subject);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StatusError(Code.InvalidArgument, `${subject} is not JSON`, {
      cause: error,
    });
  }
}

function decode(data: Uint8Array, subject: string): string {
  try {
    // With ignoreBOM a byte order mark stays, and JSON.parse refuses it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      data,
    );
  } catch (error) {
    throw new StatusError(Code.InvalidArgument, `${subject} is not UTF-8`, {
      cause: error,
    });
  }
}

/**
 * Walks the tokens that matter for keys and depth, in one pass: a regular
 * expression would try each quote of a malformed text anew, which takes
 * minutes for some megabytes. It need not tell whether the text is JSON at
 * all: JSON.parse does that next.
 */
function checkNesting(text: string, subject: string): void {
  const open: (Set<string> | undefined)[] = []; // undefined for a list
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(undefined);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const end = endOfString(text, at);
      if (isColonNext(text, end)) {
        addKey(text.slice(at, end), open.at(-1), subject);
      }
      at = end - 1;
    }
    if (open.length > maximumDepth) {
      throw new StatusError(
        Code.InvalidArgument,
        `${subject} is nested more than ${maximumDepth} levels deep`,
      );
    }
  }
}

/** Where the string that begins here ends: after its closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    at += text[at] === "\\" ? 2 : 1;
  }
  return Math.min(at + 1, text.length);
}

function isColonNext(text: string, start: number): boolean {
  let at = start;
  while (/[ \t\r\n]/.test(text[at] ?? "")) at += 1;
  return text[at] === ":";
}

function addKey(
  token: string,
  keys: Set<string> | undefined,
  subject: string,
): void {
  // Escapes are resolved first: "layers" and "layer\u0073" are one key.
  const key = unescapeKey(token);
  if (keys?.has(key)) {
    throw new StatusError(
      Code.InvalidArgument,
      `${subject} holds the key ${quote(key)} twice in one object`,
    );
  }
  keys?.add(key);
}

function unescapeKey(token: string): string {
  try {
    return String(JSON.parse(token));
  } catch {
    return token; // malformed: JSON.parse of the whole will say so
  }
}
