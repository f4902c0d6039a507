import { expect, test } from "@jest/globals";
import { tryUtf8FromBytes } from "./utf8-name.js";

const bytes = (...values: number[]) => Buffer.from(values).toString("latin1");

test.each<[string, string, string | undefined]>([
  ["ASCII", "usr", "usr"],
  ["UTF-8", bytes(0xc5, 0x91), "ő"],
  [
    "a byte order mark, which is a name like any other",
    bytes(0xef, 0xbb, 0xbf),
    "\ufeff",
  ],
  ["latin1", bytes(0xe9), undefined],
  ["an encoded surrogate", bytes(0xed, 0xa0, 0x80), undefined],
  ["an overlong form", bytes(0xc0, 0xaf), undefined],
])("tryUtf8FromBytes() reads %s", (_what, given, text) => {
  expect(tryUtf8FromBytes(given)).toBe(text);
});
