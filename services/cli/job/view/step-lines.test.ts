import { describe, expect, test } from "@jest/globals";
import { jobOf, stepOf } from "../testing/example-job.js";
import { type StepLine, StepLines } from "./step-lines.js";

function piece(text: string, offset: number, step = "a") {
  const bytes = Buffer.byteLength(text);
  const stream = "stdout" as const;
  return { kind: "log", step, stream, offset, text, bytes } as const;
}

function texts(lines: StepLine[]): string[] {
  return lines.map(({ step, text }) => `${step}: ${text}`);
}

describe("StepLines", () => {
  test("StepLines joins pieces of a line, of each step and stream alone", () => {
    const lines = new StepLines();
    expect(texts(lines.take(piece("one\ntw", 0)))).toEqual(["a: one"]);
    expect(texts(lines.take(piece("other\n", 0, "b")))).toEqual(["b: other"]);
    const stderr = { ...piece("err", 0), stream: "stderr" } as const;
    expect(lines.take(stderr)).toEqual([]);
    expect(texts(lines.take(piece("o\n\n", 6)))).toEqual(["a: two", "a: "]);
    expect(texts(lines.rest())).toEqual(["a: err"]);
    expect(lines.rest()).toEqual([]);
  });

  test("StepLines takes CR LF as one line end, and a lone CR as one, too", () => {
    const lines = new StepLines();
    expect(lines.take(piece("a\r", 0))).toEqual([]);
    expect(texts(lines.take(piece("\nb\r1%\r2%", 2)))).toEqual([
      "a: a",
      "a: b",
      "a: 1%",
    ]);
    expect(texts(lines.rest())).toEqual(["a: 2%"]);
  });

  test("StepLines keeps what an attempt wrote apart from the next one's", () => {
    const lines = new StepLines();
    expect(lines.take(piece("cut", 0))).toEqual([]);
    expect(texts(lines.take(piece("again\n", 0)))).toEqual([
      "a: cut",
      "a: again",
    ]);
  });

  test.each(["before", "behind"])(
    "StepLines gives a last line without end when the log's size is known %s it",
    (when) => {
      const log = { isLive: false, stdout: sized(3), stderr: sized(0) };
      const job = jobOf(stepOf("a", { state: "succeeded", log }));
      const lines = new StepLines();
      if (when === "before") {
        expect(lines.update(job)).toEqual([]);
        expect(texts(lines.take(piece("end", 0)))).toEqual(["a: end"]);
      } else {
        expect(lines.take(piece("end", 0))).toEqual([]);
        expect(texts(lines.update(job))).toEqual(["a: end"]);
      }
      expect(lines.rest()).toEqual([]);
    },
  );

  test("StepLines shows an endless line in parts", () => {
    const lines = new StepLines();
    const shown = lines.take(piece("x".repeat(2 ** 17 + 1), 0));
    expect(shown.map(({ text }) => text.length)).toEqual([2 ** 16, 2 ** 16]);
    expect(texts(lines.rest())).toEqual(["a: x"]);
  });
});

function sized(sizeBytes: number) {
  return { url: "/", sizeBytes };
}
