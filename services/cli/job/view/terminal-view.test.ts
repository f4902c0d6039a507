import { describe, expect, test } from "@jest/globals";
import { jobOf, stepOf } from "../testing/example-job.js";
import { TerminalView } from "./terminal-view.js";

function setup() {
  let written = "";
  const view = new TerminalView({
    output: {
      write: async (data) => {
        written += data;
      },
      finish: async () => {},
    },
    size: () => ({ columns: 80, rows: 24 }),
    hasColours: false,
    now: () => Date.parse("2026-01-01T12:00:05.000Z"),
  });
  return { view, written: () => written };
}

const title = "job 51E0E756-A6B4-4CC7-87BD-364970C2268C  running  5.0 s";

function log(text: string) {
  const bytes = Buffer.byteLength(text);
  const stream = "stdout" as const;
  return { kind: "log", step: "a", stream, offset: 0, text, bytes } as const;
}

describe("TerminalView", () => {
  test("TerminalView writes lines above a table that stays the last", async () => {
    const { view, written } = setup();
    await view.message({ kind: "job", job: jobOf(stepOf("a")) });
    await view.message(log(`${"x".repeat(2 ** 16)}\n`)); // is drawn at once
    const first = written();
    expect(first.startsWith("\u001b[Ja | xxx")).toBe(true);
    expect(
      first.endsWith(`x\n\u001b[?7l${title}\n  a  waiting\n\u001b[?7h`),
    ).toBe(true);
    await view.note("later");
    await view.end();
    expect(written().slice(first.length)).toBe(
      `\r\u001b[2A\u001b[Jberth: later\n\u001b[?7l${title}\n  a  waiting\n\u001b[?7h`,
    );
  });

  test("TerminalView escapes what steps and the server say", async () => {
    const { view, written } = setup();
    await view.message(log("\u001b[2J\u001b[31mred"));
    await view.message({ kind: "notice", text: "\u001b]0;x\u0007" });
    await view.end();
    expect(written()).toBe(
      "\u001b[Jberth: \\u{1b}]0;x\\u{7}\na | \\u{1b}[2J\u001b[31mred\u001b[0m\n\u001b[?7l\u001b[?7h",
    );
  });
});
