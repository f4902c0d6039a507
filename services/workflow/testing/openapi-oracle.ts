import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any answer
  readonly json: any;
}

interface Described {
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          { readonly responses: Readonly<Record<string, Described>> }
        >
      >
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

/** Holds answers against the document that the server gives of itself. */
export class OpenApiOracle {
  readonly document: Document;
  readonly #schemas = new Map<string, z.ZodType>();

  private constructor(document: Document) {
    this.document = document;
  }

  static async fetch(address: string): Promise<OpenApiOracle> {
    const answer = await fetch(`http://${address}/v1/openapi.json`);
    return new OpenApiOracle((await answer.json()) as Document);
  }

  /** Throws if the document does not have such an answer. */
  check(exchange: { method: string; path: string; answer: Answer }): void {
    const { method, path, answer } = exchange;
    const plain = path.split(/[?#]/, 1)[0] ?? "";
    const pattern = Object.keys(this.document.paths).find(
      (each) =>
        matches(each, plain) &&
        method.toLowerCase() in (this.document.paths[each] ?? {}),
    );
    if (pattern === undefined) return; // no route: nothing is promised
    const what = `${method} ${pattern} ${answer.status}`;
    const operation = this.document.paths[pattern]?.[method.toLowerCase()];
    const described = operation?.responses[String(answer.status)];
    if (described === undefined) throw new Error(`${what} is not described`);
    if (method === "HEAD") return;
    const type = answer.headers["content-type"]?.split(";")[0];
    if (answer.text === "" && type === undefined) return;
    const schema = described.content?.[type ?? ""]?.schema;
    if (schema === undefined) {
      throw new Error(`${what} has an undescribed Content-Type "${type}"`);
    }
    if (type !== "application/json") return;
    const result = this.#compiled(`${what} ${type}`, schema).safeParse(
      answer.json,
    );
    if (!result.success) throw new Error(`${what}: ${result.error.message}`);
  }

  #compiled(key: string, schema: object): z.ZodType {
    const known = this.#schemas.get(key);
    if (known !== undefined) return known;
    const whole = { ...schema, $defs: this.document.components.schemas };
    const text = JSON.stringify(whole).replaceAll(
      '"#/components/schemas/',
      '"#/$defs/',
    );
    const compiled = z.fromJSONSchema(JSON.parse(text));
    this.#schemas.set(key, compiled);
    return compiled;
  }
}

/** Whether a path is of a pattern such as "/jobs/{id}". */
function matches(pattern: string, path: string): boolean {
  const form = pattern
    .replace(/[.+?^$()|[\]\\]/g, "\\$&")
    .replace("{*}", ".*")
    .replace(/\{[^}]+\}/g, "[^/]+");
  return new RegExp(`^${form}$`).test(path);
}
