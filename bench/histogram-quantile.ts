/**
 * What a quantile of the observations between two texts of metrics is, as
 * Prometheus reckons it: evenly spread within a bucket. The histogram has no
 * labels.
 */
export function histogramQuantile(
  name: string,
  options: { before: string; after: string; quantile: number },
): number {
  const before = new Map(bucketsOf(name, options.before));
  const buckets = bucketsOf(name, options.after).map(
    ([bound, count]) => [bound, count - (before.get(bound) ?? 0)] as const,
  );
  const total = buckets.at(-1)?.[1] ?? 0;
  const rank = options.quantile * total;
  let below: readonly [number, number] = [0, 0];
  for (const bucket of buckets) {
    const [bound, count] = bucket;
    if (count >= rank && count > 0) {
      const [lower, fewer] = below;
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + ((bound - lower) * (rank - fewer)) / (count - fewer);
    }
    below = bucket;
  }
  throw new RangeError(`Nothing was observed of "${name}"`);
}

/** Upper bounds and how many observations do not exceed them. */
function bucketsOf(name: string, text: string): [number, number][] {
  const line = new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, "gm");
  return [...text.matchAll(line)].map(([, bound, count]) => [
    bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
    Number(count),
  ]);
}
