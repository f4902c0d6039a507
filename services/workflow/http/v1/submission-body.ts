import { isScalar, parseDocument, visit } from "yaml";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { HttpError } from "../http-error.js";
import { parseJsonText, refusePrototypes, textOfBody } from "../json-text.js";

/**
 * YAML takes a hundred times as long to read as JSON, and meanwhile nobody else
 * is answered.
 */
const maximumYamlBytes = 128 * 2 ** 10;

/** How often a document may refer to its anchors; else it could grow. */
const maximumAliases = 100;

/**
 * Parses a submission as its Content-Type says: JSON, or YAML 1.2. Throws
 * InvalidArgument for what cannot be read, and HttpError 415 for other types.
 */
export function parseSubmissionBody(
  body: unknown,
  contentType: string | undefined,
): unknown {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase();
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  switch (type) {
    case "application/json":
      return parseJsonText(textOfBody(bytes));
    case "application/yaml": // RFC 9512
    case "application/x-yaml":
    case "text/yaml":
    case "text/x-yaml":
      return parseYaml(bytes);
    default:
      throw new HttpError(
        415,
        Code.InvalidArgument,
        "Content-Type must be application/json or application/yaml",
      );
  }
}

function parseYaml(bytes: Uint8Array): unknown {
  if (bytes.length > maximumYamlBytes) {
    throw new HttpError(
      413,
      Code.ResourceExhausted,
      `A body of YAML must have at most ${maximumYamlBytes} bytes: send JSON`,
    );
  }
  const text = textOfBody(bytes);
  let value: unknown;
  try {
    // The parser's own check of keys compares each with each.
    const options = { prettyErrors: false, uniqueKeys: false };
    const document = parseDocument(text, options);
    const [mistake] = document.errors;
    // Its text may quote the document, which may hold secrets.
    if (mistake !== undefined) throw notYaml(mistake.code);
    checkKeys(document);
    value = document.toJS({ maxAliasCount: maximumAliases });
  } catch (error) {
    if (error instanceof StatusError) throw error;
    // Too many aliases, or too deep for the parser.
    throw notYaml("it is too deep, or its aliases are too many");
  }
  refusePrototypes(value);
  return value;
}

function checkKeys(document: ReturnType<typeof parseDocument>): void {
  visit(document, {
    Map: (_key, { items }) => {
      const keys = items.map(({ key }) => {
        // Of maps within keys of maps the parser makes text again and again.
        if (!isScalar(key)) throw notYaml("a key must be plain text");
        return String(key.value);
      });
      if (new Set(keys).size < keys.length) {
        throw notYaml("DUPLICATE_KEY");
      }
    },
  });
}

function notYaml(why: string): StatusError {
  const text = `The request's body must be YAML: ${why}`;
  return new StatusError(Code.InvalidArgument, text);
}
