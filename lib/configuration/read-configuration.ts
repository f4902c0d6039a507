import { readFile } from "node:fs/promises";
import {
  type Document,
  isMap,
  isNode,
  isPair,
  LineCounter,
  parseDocument,
} from "yaml";
import type { z } from "zod";
import { Code, StatusError, wrap } from "../status/index.js";
import { schemaMistakes } from "./schema-mistakes.js";

/**
 * Reads a configuration file of YAML 1.2 or JSON and checks it. Throws
 * InvalidArgument with `file:line:column` for every mistake: unknown keys
 * (the schema must be strict), wrong types, duplicate keys.
 */
export async function readConfiguration<T>(
  path: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw wrap(error, `Failed to read configuration "${path}"`);
  });
  return parseConfiguration(text, path, schema);
}

/** Like readConfiguration, for text that is at hand; `path` names it. */
export function parseConfiguration<T>(
  text: string,
  path: string,
  schema: z.ZodType<T>,
): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    const [reason] = syntax.message.split(" at line ");
    throw invalid([`${at(syntax.pos[0])}: ${reason}`]);
  }
  const result = schema.safeParse(document.toJS() ?? {});
  if (result.success) return result.data;
  throw invalid(
    schemaMistakes(result.error.issues).map(({ path: key, text: what }) => {
      const place = key.length === 0 ? "" : `"${key.map(String).join(".")}": `;
      return `${at(offsetOf(document, key))}: ${place}${what}`;
    }),
  );
}

function invalid(mistakes: readonly string[]): StatusError {
  return new StatusError(Code.InvalidArgument, mistakes.join("\n"));
}

/** Where a key stands, or the nearest of its parents that is in the file. */
function offsetOf(document: Document, key: readonly PropertyKey[]): number {
  for (let depth = key.length; depth > 0; depth--) {
    const parent =
      depth === 1
        ? document.contents
        : document.getIn(key.slice(0, depth - 1), true);
    const last = key[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(
        (item) => isPair(item) && String(item.key) === last,
      );
      if (pair !== undefined && isNode(pair.key)) {
        return pair.key.range?.[0] ?? 0;
      }
    } else {
      const node = document.getIn(key.slice(0, depth), true);
      if (isNode(node)) return node.range?.[0] ?? 0;
    }
  }
  return 0;
}
