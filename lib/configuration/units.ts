import { z } from "zod";

const millisecondsByUnit: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const bytesByUnit: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** A duration such as "250ms", "30s", "5m", "2h" or "1d"; in milliseconds. */
export function durationMs() {
  return quantity(
    millisecondsByUnit,
    'must be a duration such as "30s" or "5m"',
  );
}

/** A size such as 4096, "64KiB" or "10GiB"; in bytes. */
export function sizeBytes() {
  return quantity(bytesByUnit, 'must be a size such as 4096 or "10GiB"');
}

function quantity(
  units: Readonly<Record<string, number>>,
  expectation: string,
) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(String(value));
    const factor = units[match?.[2] ?? "none"];
    if (match === null || factor === undefined) {
      context.addIssue(`${expectation}: current value is "${value}"`);
      return z.NEVER;
    }
    return Math.round(Number(match[1]) * factor);
  });
}
