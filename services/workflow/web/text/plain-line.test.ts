import { expect, test } from "@jest/globals";
import { plainLine } from "./plain-line.js";

test.each([
  ["plain", "plain"],
  ["\x1b[1;31mred\x1b[0m and not", "red and not"],
  ["\x1b]8;;http://x/\x07link\x1b]8;;\x07", "link"],
  ["\x1b]0;title\x1b\\after", "after"],
  ["\x1bPq#0\x1b\\after", "after"],
  ["\x1b(Bcharset", "charset"],
  ["\x9b31mred", "red"],
  ["10%\r50%\r100%", "100%"],
  ["ends with CRLF\r", "ends with CRLF"],
  ["tab\tstays", "tab\tstays"],
  ["bell\x07", "bell\ufffd"],
  ["nul\0", "nul\ufffd"],
  ["turned \u202eround", "turned \ufffdround"],
  ["cut \x1b", "cut \ufffd"],
  ["<b>&amp;</b>", "<b>&amp;</b>"],
])("plainLine() makes of %j %j", (line, plain) => {
  expect(plainLine(line)).toBe(plain);
});
