import { expect, test } from "@jest/globals";
import { createProgressLine, formatPull } from "./progress-line.js";

const mebibyte = 2 ** 20;

test("formatPull() shows share, sizes and layers", () => {
  expect(
    formatPull("debian", {
      layers: 2,
      layersDone: 1,
      bytes: 10 * mebibyte,
      bytesDone: 5 * mebibyte,
    }),
  ).toBe("pulling debian [##########..........] 50% 5.0/10.0 MiB, 1/2 layers");
});

test("formatPull() stands a pull of unknown size", () => {
  const nothing = { layers: 0, layersDone: 0, bytes: 0, bytesDone: 0 };
  expect(formatPull("x", nothing)).toContain(" 0% 0.0/0.0 MiB");
});

test("createProgressLine() writes a line now and then without a terminal", () => {
  let now = 0;
  const written: string[] = [];
  const stream = { isTTY: false, write: (text: string) => written.push(text) };
  // The parts of a stream that it uses.
  const line = createProgressLine(stream as never, () => now);
  for (now = 0; now <= 10_000; now += 1_000) line.update(`at ${now}`);
  line.clear();
  expect(written).toEqual(["at 5000\n", "at 10000\n"]);
});
