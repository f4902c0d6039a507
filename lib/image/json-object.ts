import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/**
 * A JSON object being read, with checks that name the place: "Layer 2 of
 * manifest". Every reader throws InvalidArgument for a value of another type.
 */
export class JsonObject {
  readonly #subject: string;
  readonly #fields: ReadonlyMap<string, unknown>;

  private constructor(subject: string, fields: ReadonlyMap<string, unknown>) {
    this.#subject = subject;
    this.#fields = fields;
  }

  /**
   * Takes a parsed value that must be an object. A key that differs only in
   * case from one of the known ones is refused: Go's decoder would take
   * "Layers" for "layers", so the same bytes would be two images.
   */
  static of(
    value: unknown,
    subject: string,
    known: readonly string[],
  ): JsonObject {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new StatusError(
        Code.InvalidArgument,
        `${subject} must be an object: current value is ${quote(value)}`,
      );
    }
    const exact = new Map(known.map((key) => [key.toLowerCase(), key]));
    for (const key of Object.keys(value)) {
      const meant = exact.get(key.toLowerCase());
      if (meant !== undefined && meant !== key) {
        throw new StatusError(
          Code.InvalidArgument,
          `${subject} must spell the key "${meant}" so: current value is ${quote(key)}`,
        );
      }
    }
    return new JsonObject(subject, new Map(Object.entries(value)));
  }

  /** Whether the key is there with a value other than null. */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The value as it is; null counts as absent, as it does for Go. */
  get(key: string): unknown {
    return this.#fields.get(key) ?? undefined;
  }

  /** An optional string. */
  string(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === "string") return value;
    return this.#refuse(key, "a string", value);
  }

  /** A whole number within the bounds, both included. */
  integer(key: string, minimum: number, maximum: number): number {
    const value = this.get(key);
    if (
      typeof value === "number" &&
      Number.isInteger(value) &&
      value >= minimum &&
      value <= maximum
    ) {
      return value;
    }
    const wanted = `a whole number from ${minimum} to ${maximum}`;
    return this.#refuse(key, wanted, value);
  }

  /** A list, empty if it is absent; ResourceExhausted above the maximum. */
  list(key: string, maximumLength: number): readonly unknown[] {
    const value = this.get(key) ?? [];
    if (!Array.isArray(value)) return this.#refuse(key, "a list", value);
    if (value.length > maximumLength) {
      throw new StatusError(
        Code.ResourceExhausted,
        `${this.#subject} has ${value.length} entries in "${key}", more than the ${maximumLength} allowed`,
      );
    }
    return value;
  }

  /** A list of strings, empty if it is absent. */
  strings(key: string, maximumLength: number): readonly string[] {
    return this.list(key, maximumLength).map((item) =>
      typeof item === "string"
        ? item
        : this.#refuse(key, "a list of strings", item),
    );
  }

  #refuse(key: string, wanted: string, value: unknown): never {
    throw new StatusError(
      Code.InvalidArgument,
      `"${key}" of ${this.#subject} must be ${wanted}: current value is ${quote(value)}`,
    );
  }
}
