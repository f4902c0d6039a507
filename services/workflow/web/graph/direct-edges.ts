import type { GraphNode } from "./layers.js";

/** From what is needed to who needs it. */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

/**
 * The edges that are worth drawing: without those that others imply, as "a
 * before c" where a is before b and b before c.
 */
export function directEdges(
  nodes: readonly GraphNode[],
  layers: ReadonlyMap<string, number>,
): Edge[] {
  const indexes = new Map(nodes.map(({ id }, index) => [id, index]));
  const layerOf = (id: string) => layers.get(id) ?? 0;
  const inOrder = [...nodes].sort((a, b) => layerOf(a.id) - layerOf(b.id));
  const words = Math.ceil(nodes.length / 32);
  /** Bit sets of all that comes before a node. */
  const before = new Map<string, Uint32Array>();
  const edges: Edge[] = [];
  for (const { id, needs } of inOrder) {
    const known = new Uint32Array(words);
    // The nearest first: they imply those that lie further back.
    const sources = [...new Set(needs)]
      .filter((need) => indexes.has(need) && layerOf(need) < layerOf(id))
      .sort((a, b) => layerOf(b) - layerOf(a));
    for (const from of sources) {
      const index = indexes.get(from) ?? 0;
      const [word, bit] = [index >>> 5, 1 << (index & 31)];
      if (((known[word] ?? 0) & bit) !== 0) continue;
      edges.push({ from, to: id });
      const ofSource = before.get(from);
      for (let at = 0; at < words; at++) {
        known[at] = (known[at] ?? 0) | (ofSource?.[at] ?? 0);
      }
      known[word] = (known[word] ?? 0) | bit;
    }
    before.set(id, known);
  }
  return edges;
}
