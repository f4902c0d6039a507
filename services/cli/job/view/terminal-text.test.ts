import { describe, expect, test } from "@jest/globals";
import { plainText, terminalText } from "./terminal-text.js";

describe("terminalText()", () => {
  test.each([
    ["plain \t ünïcode \u{1f468}\u200d\u{1f469}", undefined],
    ["\u001b[31mred\u001b[0m", "\u001b[31mred\u001b[0m\u001b[0m"],
    ["\u001b[38;2;1;2;3mx", "\u001b[38;2;1;2;3mx\u001b[0m"],
    ["\u001b[2J\u001b[H", "\\u{1b}[2J\\u{1b}[H"],
    ["\u001b]0;title\u0007", "\\u{1b}]0;title\\u{7}"],
    ["\u001bP+q\u001b\\", "\\u{1b}P+q\\u{1b}\\"],
    ["\u001b[6n\u001b[?1049h", "\\u{1b}[6n\\u{1b}[?1049h"],
    ["\u009b31m\u0085\u007f\0", "\\u{9b}31m\\u{85}\\u{7f}\\u{0}"],
    ["a\rb\bc", "a\\u{d}b\\u{8}c"],
    ["\u202egnp.exe\u2066", "\\u{202e}gnp.exe\\u{2066}"],
    [`\u001b[${"1;".repeat(40)}m`, `\\u{1b}[${"1;".repeat(40)}m`],
  ])("terminalText() makes %j harmless", (text, safe) => {
    expect(terminalText(text)).toBe(safe ?? text);
  });
});

describe("plainText()", () => {
  test("plainText() leaves colours out", () => {
    expect(plainText("a\u001b[31mb\u001b[2Jc")).toBe("ab\\u{1b}[2Jc");
  });
});
