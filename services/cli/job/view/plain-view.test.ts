import { expect, test } from "@jest/globals";
import { jobOf, stepOf } from "../testing/example-job.js";
import { createPlainView } from "./plain-view.js";

test.each([
  [undefined, "a    | out\nlong | x\n"],
  ["a", "out\n"],
])(
  "createPlainView() writes lines as they are, and news apart (step %p)",
  async (step, expected) => {
    let written = "";
    const news: string[] = [];
    const view = createPlainView({
      output: {
        write: async (data) => {
          written += data;
        },
        finish: async () => {},
      },
      onNews: (line) => news.push(line),
      step,
    });
    const log = { kind: "log", stream: "stdout", offset: 0 } as const;
    await view.message({
      kind: "job",
      job: jobOf(stepOf("a", { state: "running" }), stepOf("long")),
    });
    await view.message({ ...log, step: "a", text: "out\n", bytes: 4 });
    await view.message({ ...log, step: "long", text: "x", bytes: 1 });
    await view.message({
      kind: "job",
      job: jobOf(
        stepOf("a", {
          state: "succeeded",
          cached: true,
          endedAt: "2026-01-01T12:00:02.000Z",
        }),
        stepOf("long", {
          state: "failed",
          startedAt: "2026-01-01T12:00:02.000Z",
          endedAt: "2026-01-01T12:00:03.500Z",
        }),
      ),
    });
    await view.message({ kind: "notice", text: "odd\u001b[2J" });
    await view.message({ kind: "end" });
    await view.end();
    expect(written).toBe(expected);
    expect(news).toEqual([
      "a: running",
      "a: succeeded (cached)",
      "long: failed (1.5 s)",
      "odd\\u{1b}[2J",
    ]);
  },
);
