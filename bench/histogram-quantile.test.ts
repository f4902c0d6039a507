import { expect, test } from "@jest/globals";
import { histogramQuantile } from "./histogram-quantile.js";

function text(...counts: number[]): string {
  const bounds = ["0.1", "0.5", "+Inf"];
  const lines = counts.map(
    (count, at) => `delay_bucket{le="${bounds[at]}"} ${count}`,
  );
  return ["# TYPE delay histogram", ...lines, "delay_count 9"].join("\n");
}

test("histogramQuantile() spreads observations evenly within a bucket", () => {
  const options = { before: "", after: text(50, 100, 100) };
  const of = (quantile: number) =>
    histogramQuantile("delay", { ...options, quantile });
  expect(of(0.25)).toBeCloseTo(0.05);
  expect(of(0.5)).toBeCloseTo(0.1);
  expect(of(0.75)).toBeCloseTo(0.3);
});

test("histogramQuantile() leaves out what was observed before", () => {
  const options = { before: text(100, 100, 100), after: text(100, 200, 200) };
  const quantile = histogramQuantile("delay", { ...options, quantile: 0.5 });
  expect(quantile).toBeCloseTo(0.3);
});

test("histogramQuantile() gives the last bound for what is beyond it", () => {
  const options = { before: "", after: text(0, 1, 100), quantile: 0.99 };
  expect(histogramQuantile("delay", options)).toBe(0.5);
});

test("histogramQuantile() throws where nothing was observed", () => {
  const options = { before: text(1, 1, 1), after: text(1, 1, 1), quantile: 1 };
  expect(() => histogramQuantile("delay", options)).toThrow(
    new RangeError('Nothing was observed of "delay"'),
  );
});
