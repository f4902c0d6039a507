import { expect, test } from "@jest/globals";
import { z } from "zod";
import { schemaMistakes } from "./schema-mistakes.js";

const schema = z.strictObject({
  list: z.array(z.string()).min(1).max(2).optional(),
  count: z.int().positive().max(9).optional(),
  share: z.number().min(0).lt(1).optional(),
  word: z.string().min(2).max(3).optional(),
  flag: z.boolean().optional(),
  kind: z.enum(["a", "b"]).optional(),
  own: z.string().regex(/^x/, "must begin with x").optional(),
  pattern: z.string().regex(/^x/).optional(),
  names: z.record(z.string().min(2), z.number()).optional(),
  either: z.union([z.array(z.string()), z.string()]).optional(),
  nested: z
    .union([z.string(), z.strictObject({ inner: z.string() })])
    .optional(),
  chosen: z
    .discriminatedUnion("by", [
      z.strictObject({ by: z.literal("name"), name: z.string() }),
      z.strictObject({ by: z.literal("place"), place: z.number() }),
    ])
    .optional(),
});

test.each<[unknown, string, string]>([
  [null, "", "must be an object"],
  [[], "", "must be an object"],
  [{ list: "a" }, "list", "must be a list"],
  [{ list: [] }, "list", "must not be empty"],
  [{ list: ["a", "b", "c"] }, "list", "must have at most 2 entries"],
  [{ list: [1] }, "list.0", "must be a text"],
  [{ count: "1" }, "count", "must be a number"],
  [{ count: 0 }, "count", "must be more than 0"],
  [{ count: 1.5 }, "count", "must be a whole number"],
  [{ count: 10 }, "count", "must be at most 9"],
  [{ share: -1 }, "share", "must be at least 0"],
  [{ share: 1 }, "share", "must be less than 1"],
  [{ word: "a" }, "word", "must have at least 2 characters"],
  [{ word: "abcd" }, "word", "must have at most 3 characters"],
  [{ flag: "no" }, "flag", "must be true or false"],
  [{ kind: "c" }, "kind", 'must be "a" or "b"'],
  [{ own: "a" }, "own", "must begin with x"],
  [{ pattern: "a" }, "pattern", "must be /^x/"],
  [
    { names: { a: 1 } },
    "names.a",
    "the name of this field must have at least 2 characters",
  ],
  [{ either: 1 }, "either", "must be a list or a text"],
  [{ either: [1] }, "either.0", "must be a text"],
  [{ nested: {} }, "nested", 'must have "inner"'],
  [{ nested: { inner: 1 } }, "nested.inner", "must be a text"],
  [{ chosen: { by: "x" } }, "chosen.by", 'must be "name" or "place"'],
  [{ chosen: { by: "name" } }, "chosen", 'must have "name"'],
  [{ other: 1 }, "other", "there is no such field"],
])("schemaMistakes() says what to change in %j", (value, place, text) => {
  const { error } = schema.safeParse(value);
  const found = schemaMistakes(error?.issues ?? []);
  expect(
    found.map(({ path, text }) => ({ place: path.join("."), text })),
  ).toEqual([{ place, text }]);
});
