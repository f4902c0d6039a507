import { describe, expect, test } from "@jest/globals";
import { Digest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import {
  parseReadResourceName,
  parseWriteResourceName,
  readResourceName,
  writeResourceName,
} from "./resource-name.js";

const digest = Digest.of(Buffer.from("x"));
const blob = `blobs/${digest}`;

describe("parseReadResourceName()", () => {
  test.each(["", "a", "a/b/c"])(
    "parseReadResourceName() undoes readResourceName() for instance %j",
    (text) => {
      const instanceName = parseInstanceName(text);
      const name = readResourceName({ instanceName, digest });
      expect(parseReadResourceName(name)).toEqual({ instanceName, digest });
    },
  );

  test.each([
    "",
    "blobs",
    `${blob}/`,
    `${blob}/more`,
    `blobs/${digest.hash}`,
    `blobs/${digest.hash}/-1`,
    `blobs/${digest.hash}/1e3`,
    `blobs/${digest.hash}/`,
    `blobs/${digest.hash.toUpperCase()}/1`,
    `a/../${blob}`,
    `x/blobs/y/${blob}`,
    `compressed-blobs/zstd/${digest}`,
  ])("parseReadResourceName() refuses %j", (name) => {
    expect(() => parseReadResourceName(name)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument }),
    );
  });
});

describe("parseWriteResourceName()", () => {
  test.each(["", "a", "a/b/c"])(
    "parseWriteResourceName() undoes writeResourceName() for instance %j",
    (text) => {
      const instanceName = parseInstanceName(text);
      const name = writeResourceName({ instanceName, digest }, "some-uuid");
      expect(parseWriteResourceName(name)).toEqual({ instanceName, digest });
    },
  );

  test("parseWriteResourceName() ignores metadata after the size", () => {
    const name = `uploads/u/${blob}/file/name.txt`;
    expect(parseWriteResourceName(name)).toEqual({ instanceName: "", digest });
  });

  test.each([
    blob,
    `uploads/${blob}`,
    `uploads/u/v/${blob}`,
    "uploads/u/blobs",
  ])("parseWriteResourceName() refuses %j", (name) => {
    expect(() => parseWriteResourceName(name)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument }),
    );
  });

  test("parseWriteResourceName() says that compression is not offered", () => {
    const name = `uploads/u/compressed-blobs/zstd/${digest}`;
    expect(() => parseWriteResourceName(name)).toThrow(
      `Resource name must be "[instance/]blobs/hash/size" or "[instance/]uploads/id/blobs/hash/size" (compressed blobs are not offered): current value is "${name}"`,
    );
  });
});
