import { directEdges, type Edge } from "./direct-edges.js";
import { type GraphNode, layersOf } from "./layers.js";
import { spread } from "./spread.js";

/** How large things are, in pixels. */
export interface GraphMeasures {
  /** Of a node, in the direction of reading, and across. */
  readonly node: { readonly length: number; readonly breadth: number };
  /** Between layers. */
  readonly layerGap: number;
  /** Between nodes of a layer. */
  readonly nodeGap: number;
}

/** A place: `along` the direction in which steps follow, and `across` it. */
export interface GraphPoint {
  readonly along: number;
  readonly across: number;
}

/** Where everything is drawn; the caller chooses which way is along. */
export interface GraphLayout {
  readonly length: number;
  readonly breadth: number;
  /** The near corner of each node. */
  readonly nodes: ReadonlyMap<string, GraphPoint>;
  /** From the middle of one node's far side to that of another's near one. */
  readonly edges: readonly (Edge & {
    readonly points: readonly GraphPoint[];
  })[];
}

/** More bends than this are not worth the time: edges then run straight. */
const maximumBends = 4_000;

/** Sweeps through the layers, there and back; more change next to nothing. */
const sweeps = 4;

/** A node, or a bend of an edge that passes its layer. */
interface Cell {
  readonly layer: number;
  readonly before: Cell[];
  readonly behind: Cell[];
  across: number;
}

/**
 * Lays a graph out in layers (Sugiyama): needs lie in earlier layers, edges
 * that pass a layer get a place in it, and both are ordered so that few edges
 * cross, and placed so that they are straight where they can be.
 */
export function layoutGraph(
  nodes: readonly GraphNode[],
  measures: GraphMeasures,
): GraphLayout {
  const layers = layersOf(nodes);
  const edges = directEdges(nodes, layers);
  const cells = new Map<string, Cell>();
  const rows: Cell[][] = [];
  const add = (layer: number): Cell => {
    const cell = { layer, before: [], behind: [], across: 0 };
    const row = rows[layer] ?? [];
    rows[layer] = row;
    row.push(cell);
    return cell;
  };
  for (const { id } of nodes) cells.set(id, add(layers.get(id) ?? 0));
  const chains = chainsOf(edges, { cells, add });
  placeRows(rows, measures.node.breadth + measures.nodeGap);
  return drawn({ rows, cells, edges, chains }, measures);
}

/** The cells through which each edge runs, its ends included. */
function chainsOf(
  edges: readonly Edge[],
  {
    cells,
    add,
  }: { cells: ReadonlyMap<string, Cell>; add: (n: number) => Cell },
): Cell[][] {
  let bends = 0;
  return edges.flatMap((edge) => {
    const [from, to] = [cells.get(edge.from), cells.get(edge.to)];
    if (from === undefined || to === undefined) return [];
    const chain = [from];
    bends += to.layer - from.layer - 1;
    if (bends <= maximumBends) {
      for (let at = from.layer + 1; at < to.layer; at++) chain.push(add(at));
    }
    chain.push(to);
    for (const [index, cell] of chain.entries()) {
      const next = chain[index + 1];
      if (next === undefined) break;
      cell.behind.push(next);
      next.before.push(cell);
    }
    return [chain];
  });
}

function placeRows(rows: Cell[][], distance: number): void {
  for (const row of rows) {
    for (const [index, cell] of row.entries()) cell.across = index * distance;
  }
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const row of rows) place(row, "before", distance);
    for (const row of rows.toReversed()) place(row, "behind", distance);
  }
  // At last what follows lies where what it needs does.
  for (const row of rows) place(row, "before", distance);
}

function place(row: Cell[], side: "before" | "behind", distance: number): void {
  const wishes = new Map(
    row.map((cell) => {
      const near = cell[side];
      const sum = near.reduce((total, { across }) => total + across, 0);
      return [cell, near.length === 0 ? cell.across : sum / near.length];
    }),
  );
  row.sort((a, b) => (wishes.get(a) ?? 0) - (wishes.get(b) ?? 0));
  const wanted = row.map((cell) => wishes.get(cell) ?? 0);
  for (const [index, across] of spread(wanted, distance).entries()) {
    const cell = row[index];
    if (cell !== undefined) cell.across = across;
  }
}

function drawn(
  {
    rows,
    cells,
    edges,
    chains,
  }: {
    rows: Cell[][];
    cells: ReadonlyMap<string, Cell>;
    edges: readonly Edge[];
    chains: readonly Cell[][];
  },
  { node, layerGap }: GraphMeasures,
): GraphLayout {
  const all = rows.flat().map(({ across }) => across);
  const first = all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = all.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const along = (layer: number) => layer * (node.length + layerGap);
  const middle = (cell: Cell) => cell.across - first + node.breadth / 2;
  const lineOf = (chain: readonly Cell[]): GraphPoint[] =>
    chain.flatMap((cell, index) => {
      const near = { along: along(cell.layer), across: middle(cell) };
      const far = { ...near, along: near.along + node.length };
      if (index === 0) return [far];
      return index === chain.length - 1 ? [near] : [near, far];
    });
  return {
    length: Math.max(0, along(rows.length) - layerGap),
    breadth: all.length === 0 ? 0 : last - first + node.breadth,
    nodes: new Map(
      [...cells].map(([id, cell]) => [
        id,
        { along: along(cell.layer), across: cell.across - first },
      ]),
    ),
    edges: edges.map((edge, index) => ({
      ...edge,
      points: lineOf(chains[index] ?? []),
    })),
  };
}
