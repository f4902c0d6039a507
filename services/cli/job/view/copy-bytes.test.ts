import { describe, expect, test } from "@jest/globals";
import { type CopyOptions, copyBytes } from "./copy-bytes.js";

async function copied(
  bytes: Buffer,
  options: Pick<CopyOptions, "isTerminal" | "prefix">,
): Promise<string> {
  const written: Uint8Array[] = [];
  const output = {
    write: async (data: string | Uint8Array) => {
      written.push(Buffer.from(data));
    },
    finish: async () => {},
  };
  async function* chunks() {
    for (const byte of bytes) yield Uint8Array.of(byte);
  }
  await copyBytes(chunks(), { output, ...options });
  return Buffer.concat(written).toString("latin1");
}

describe("copyBytes()", () => {
  const bytes = Buffer.from("\u001b[2Jé\r\nb\n\n", "utf8");
  const binary = Buffer.concat([bytes, Buffer.of(0xff, 0x0a, 0x63)]);
  const latin = (text: string) => Buffer.from(text).toString("latin1");

  test("copyBytes() leaves bytes as they are for programs", async () => {
    expect(await copied(binary, { isTerminal: false })).toBe(
      binary.toString("latin1"),
    );
  });

  test("copyBytes() puts a prefix before each line", async () => {
    expect(await copied(bytes, { isTerminal: false, prefix: "a | " })).toBe(
      latin("a | \u001b[2Jé\na | b\na | \n"),
    );
  });

  test("copyBytes() escapes what goes to a terminal, and ends the last line", async () => {
    expect(await copied(binary, { isTerminal: true })).toBe(
      latin("\\u{1b}[2Jé\nb\n\n\ufffd\nc\n"),
    );
  });
});
