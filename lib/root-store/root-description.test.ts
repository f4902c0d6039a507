import { describe, expect, test } from "@jest/globals";
import { tryParseRootDescription } from "./parse-root-description.js";
import { encodeRootDescription } from "./root-description.js";

const description = {
  reference: "registry.test/a@sha256:00",
  diffIds: ["sha256:11"],
  ...{ files: 1, directories: 2, symlinks: 3, sizeBytes: 4 },
  config: { user: "" },
};

describe("tryParseRootDescription()", () => {
  test("tryParseRootDescription() reads what encodeRootDescription() wrote", () => {
    const text = encodeRootDescription(description);
    expect(tryParseRootDescription(text)).toEqual(description);
  });

  test.each(["", "{", "[]", '{"reference": 1}'])(
    "tryParseRootDescription() takes %j for damaged",
    (text) => expect(tryParseRootDescription(text)).toBeUndefined(),
  );
});
