import { expect, test } from "@jest/globals";
import { LogBuffer, type LogPiece } from "./log-buffer.js";

function piece(text: string, more: Partial<LogPiece> = {}): LogPiece {
  const bytes = new TextEncoder().encode(text).length;
  return { step: "a", stream: "stdout", offset: 0, text, bytes, ...more };
}

function shown(buffer: LogBuffer): string[] {
  return buffer
    .chunks()
    .flatMap(({ lines }) => lines)
    .map(({ step, stream, text }) => `${step} ${stream} ${text}`);
}

test("LogBuffer keeps lines of streams apart, in the order of their ends", () => {
  const buffer = new LogBuffer();
  buffer.push(piece("one\ntw"));
  buffer.push(piece("wrong\n", { stream: "stderr" }));
  expect(buffer.unfinished()).toEqual([
    { step: "a", stream: "stdout", text: "tw" },
  ]);
  buffer.push(piece("o\n", { offset: 6 }));
  expect(shown(buffer)).toEqual([
    "a stdout one",
    "a stderr wrong",
    "a stdout two",
  ]);
  expect(buffer.unfinished()).toEqual([]);
});

test("LogBuffer takes no byte twice", () => {
  const buffer = new LogBuffer();
  buffer.push(piece("é1\né2\n"));
  buffer.push(piece("é1\né2\n"));
  buffer.push(piece("2\né3\n", { offset: 6 }));
  expect(shown(buffer)).toEqual(["a stdout é1", "a stdout é2", "a stdout é3"]);
});

test("LogBuffer keeps the last lines, and counts the others by step", () => {
  const buffer = new LogBuffer({ lines: 20, chunk: 10 });
  for (let n = 0; n < 15; n++) buffer.push(piece(`${n}\n`, { offset: n * 10 }));
  for (let n = 0; n < 20; n++) {
    buffer.push(piece(`${n}\n`, { step: "b", offset: n * 10 }));
  }
  const lines = shown(buffer);
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines.at(-1)).toBe("b stdout 19");
  expect(buffer.total).toBe(35);
  expect(buffer.dropped()).toBe(35 - lines.length);
  expect(buffer.dropped("a") + buffer.dropped("b")).toBe(buffer.dropped());
});

test("LogBuffer cuts long lines, ended or not", () => {
  const buffer = new LogBuffer({ width: 4 });
  buffer.push(piece("abcdefghij"));
  expect(shown(buffer)).toEqual(["a stdout abcd", "a stdout efgh"]);
  buffer.push(piece("kl\n123456\n", { offset: 10 }));
  expect(shown(buffer).slice(2)).toEqual([
    "a stdout ijkl",
    "a stdout 1234",
    "a stdout 56",
  ]);
});

test("LogBuffer leaves chunks that are full as they are", () => {
  const buffer = new LogBuffer({ chunk: 2 });
  buffer.push(piece("1\n2\n3\n"));
  const [first] = buffer.chunks();
  buffer.push(piece("4\n5\n", { offset: 6 }));
  expect(buffer.chunks()[0]).toBe(first);
  expect(buffer.chunks().map(({ key }) => key)).toEqual([0, 1, 2]);
});

test("LogBuffer begins a step again, at its first byte", () => {
  const buffer = new LogBuffer();
  buffer.push(piece("one\nhal"));
  buffer.restart("a");
  expect(buffer.has("a")).toBe(false);
  buffer.push(piece("one\n"));
  expect(shown(buffer)).toEqual([
    "a stdout one",
    "a stdout hal",
    "a stdout one",
  ]);
});

test("LogBuffer shows control characters of programs as text", () => {
  const buffer = new LogBuffer();
  buffer.push(piece("\x1b[31m<b>red</b>\x1b[0m\n"));
  expect(shown(buffer)).toEqual(["a stdout <b>red</b>"]);
});
