import { describe, expect, test } from "@jest/globals";
import { Code } from "../../lib/status/index.js";
import { LineReader, maximumLineBytes } from "./line-reader.js";

describe("LineReader.push()", () => {
  test("LineReader.push() gives lines as they become complete", () => {
    const reader = new LineReader();
    expect(reader.push(Buffer.from("AC"))).toEqual([]);
    expect(reader.push(Buffer.from("QUIRE a\nUSED b\nrest"))).toEqual([
      "ACQUIRE a",
      "USED b",
    ]);
    expect(reader.push(Buffer.from("\n\n"))).toEqual(["rest", ""]);
  });

  test("LineReader.push() takes a line of the longest length, and no longer", () => {
    const longest = "x".repeat(maximumLineBytes - 1);
    const reader = new LineReader();
    expect(reader.push(Buffer.from(`${longest}\n`))).toEqual([longest]);
    const tooLong = {
      code: Code.InvalidArgument,
      message: "Line must have 4096 bytes at most",
    };
    const fails = (chunk: string) => () =>
      new LineReader().push(Buffer.from(chunk));
    expect(fails(`${longest}x\n`)).toThrow(expect.objectContaining(tooLong));
    expect(fails(`${longest}x`)).toThrow(expect.objectContaining(tooLong));
  });
});
