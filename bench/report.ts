import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** One comparison; both sides were measured in the same run. */
export interface BenchRow {
  /** What was measured, and against what. */
  readonly name: string;
  readonly ours: number;
  /** Undefined where a figure has no peer, such as a latency. */
  readonly peer?: number;
  /** ours / peer, or a difference where the name says so. */
  readonly ratio?: number;
  /** Of ours and peer, such as "ms". */
  readonly unit: string;
}

/** A row with its ratio worked out. */
export function compare(
  name: string,
  unit: string,
  { ours, peer }: { ours: number; peer: number },
): BenchRow {
  return { name, unit, ours, peer, ratio: ours / peer };
}

/** The middle one of some figures. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new RangeError("There is nothing measured");
  return middle;
}

/** The rows as a table for people. */
export function formatTable(rows: readonly BenchRow[]): string {
  const number = (value: number | undefined) =>
    value === undefined ? "" : value.toFixed(2);
  const cells = [
    ["", "ours", "peer", "unit", "ratio"],
    ...rows.map((row) => [
      row.name,
      plain(row.ours),
      row.peer === undefined ? "" : plain(row.peer),
      row.unit,
      number(row.ratio),
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  return cells
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 || column === 3
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function plain(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** Writes the rows as JSON: a list of {name, ours, peer, ratio, unit}. */
export async function writeReport(
  path: string,
  rows: readonly BenchRow[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(rows, undefined, 2)}\n`);
}
