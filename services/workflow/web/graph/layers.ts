/** A step, and which others it waits for. */
export interface GraphNode {
  readonly id: string;
  readonly needs: readonly string[];
}

/**
 * In which layer each node lies: one behind the last that it needs. Needs that
 * no node has are left out, and so is what would go round in a circle.
 */
export function layersOf(
  nodes: readonly GraphNode[],
): ReadonlyMap<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const layers = new Map<string, number>();
  const open = new Set<string>();
  for (const { id } of nodes) {
    // Not by recursion: a chain may be a thousand steps long.
    const stack = [id];
    while (stack.length > 0) {
      const at = stack.at(-1) ?? "";
      if (layers.has(at)) {
        stack.pop();
        continue;
      }
      const needs = (byId.get(at)?.needs ?? []).filter((need) =>
        byId.has(need),
      );
      open.add(at);
      const missing = needs.filter((n) => !layers.has(n) && !open.has(n));
      if (missing.length > 0) {
        stack.push(...missing);
        continue;
      }
      const before = needs.map((need) => layers.get(need) ?? -1);
      layers.set(at, before.reduce((a, b) => Math.max(a, b), -1) + 1);
      open.delete(at);
      stack.pop();
    }
  }
  return layers;
}
