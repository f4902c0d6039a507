import { describe, expect, test } from "@jest/globals";
import { DigestFunction_Value } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code } from "../status/index.js";
import {
  checkDigestFunction,
  Digest,
  emptyDigest,
  parseInstanceName,
} from "./index.js";

// Taken from sha256sum(1).
const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

describe("Digest", () => {
  test("Digest.of() gives hash and size", () => {
    const digest = Digest.of(Buffer.from("abc"));
    expect(digest.toProto()).toEqual({ hash: abc, sizeBytes: 3 });
    expect(digest.equals(Digest.create(abc, 3))).toBe(true);
    expect(digest.equals(Digest.create(abc, 4))).toBe(false);
    expect(String(digest)).toBe(`${abc}/3`);
    expect(emptyDigest.sizeBytes).toBe(0);
  });

  test.each([
    [abc.toUpperCase(), 3],
    [abc.slice(1), 3],
    ["../../../../etc/passwd", 3],
    [abc, -1],
    [abc, 0.5],
    [abc, 2 ** 60],
  ])("Digest.create() refuses hash %s with size %d", (hash, size) => {
    expect(() => Digest.create(hash, size)).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument }),
    );
  });

  test("Digest.fromProto() names the field", () => {
    expect(() => Digest.fromProto(undefined, "command digest")).toThrow(
      "No command digest given",
    );
    expect(() =>
      Digest.fromProto({ hash: "x", sizeBytes: 1 }, "command digest"),
    ).toThrow(
      'Failed to read command digest: Digest hash must be 64 lower-case hexadecimal digits (SHA-256): current value is "x"',
    );
  });
});

test("checkDigestFunction() takes SHA256 and unset, nothing else", () => {
  checkDigestFunction(DigestFunction_Value.SHA256);
  checkDigestFunction(DigestFunction_Value.UNKNOWN);
  expect(() => checkDigestFunction(DigestFunction_Value.MD5)).toThrow(
    "Digest function must be SHA256: current value is MD5",
  );
});

describe("parseInstanceName()", () => {
  test.each(["", "main", "team-a/main.2"])(
    'parseInstanceName() takes "%s"',
    (text) => {
      expect(parseInstanceName(text)).toBe(text);
    },
  );
  test.each(["/", "a/", "a//b", "a/../b", "x/blobs/y", "uploads", "a b"])(
    'parseInstanceName() refuses "%s"',
    (text) => {
      expect(() => parseInstanceName(text)).toThrow("Instance name must");
    },
  );
});
