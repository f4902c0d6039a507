import { expect, test } from "@jest/globals";
import { type GraphLayout, layoutGraph } from "./graph-layout.js";
import type { GraphNode } from "./layers.js";

const measures = {
  node: { length: 100, breadth: 40 },
  layerGap: 50,
  nodeGap: 10,
};

/** "c: a b" is c, which needs a and b. */
function graph(...lines: string[]): GraphNode[] {
  return lines.map((line) => {
    const [id = "", needs = ""] = line.split(/: ?/);
    return { id, needs: needs.split(" ").filter((need) => need !== "") };
  });
}

function edgesOf({ edges }: GraphLayout): string[] {
  return edges.map(({ from, to }) => `${from}→${to}`).sort();
}

test("layoutGraph() puts a chain on one line", () => {
  const layout = layoutGraph(graph("a", "b: a", "c: b"), measures);
  expect(Object.fromEntries(layout.nodes)).toEqual({
    a: { along: 0, across: 0 },
    b: { along: 150, across: 0 },
    c: { along: 300, across: 0 },
  });
  expect([layout.length, layout.breadth]).toEqual([400, 40]);
  expect(layout.edges[0]?.points).toEqual([
    { along: 100, across: 20 },
    { along: 150, across: 20 },
  ]);
});

test("layoutGraph() puts what is split between its ends", () => {
  const layout = layoutGraph(graph("a", "b: a", "c: a", "d: b c"), measures);
  expect(Object.fromEntries(layout.nodes)).toEqual({
    a: { along: 0, across: 25 },
    b: { along: 150, across: 0 },
    c: { along: 150, across: 50 },
    d: { along: 300, across: 25 },
  });
});

test("layoutGraph() draws no edge that others imply", () => {
  const layout = layoutGraph(graph("a", "b: a", "c: a b", "d: a c"), measures);
  expect(edgesOf(layout)).toEqual(["a→b", "b→c", "c→d"]);
});

test("layoutGraph() leads an edge round the nodes of layers it passes", () => {
  const layout = layoutGraph(
    graph("a", "b: a", "x", "c: b", "d: c x"),
    measures,
  );
  const edge = layout.edges.find(({ from }) => from === "x");
  const passing = edge?.points.filter(({ along }) => along === 150) ?? [];
  expect(passing).toHaveLength(1);
  const b = layout.nodes.get("b")?.across ?? 0;
  const at = passing[0]?.across ?? 0;
  expect(at < b || at > b + 40).toBe(true);
});

test("layoutGraph() uncrosses what need not cross", () => {
  const layout = layoutGraph(graph("a", "b", "c: b", "d: a"), measures);
  const across = (id: string) => layout.nodes.get(id)?.across ?? Number.NaN;
  expect(across("a") < across("b")).toBe(across("d") < across("c"));
});

test("layoutGraph() keeps nodes of a layer apart, however many", () => {
  const many = Array.from({ length: 60 }, (_, index) => `n${index}: a`);
  const layout = layoutGraph(graph("a", ...many, "z: n3 n40"), measures);
  const places = [...layout.nodes]
    .filter(([, { along }]) => along === 150)
    .map(([, { across }]) => across)
    .sort((a, b) => a - b);
  expect(places).toHaveLength(60);
  places.slice(1).forEach((place, index) => {
    expect(place - (places[index] ?? 0)).toBeGreaterThanOrEqual(50 - 1e-6);
  });
});

test("layoutGraph() leaves out needs that are not there, and circles", () => {
  const layout = layoutGraph(graph("a: x b", "b: a", "c: c"), measures);
  expect(layout.nodes.size).toBe(3);
  expect(edgesOf(layout).length).toBeLessThanOrEqual(1);
});

test("layoutGraph() of nothing is nothing", () => {
  expect(layoutGraph([], measures)).toEqual({
    length: 0,
    breadth: 0,
    nodes: new Map(),
    edges: [],
  });
});

test("layoutGraph() lays out a thousand steps that all need all before", () => {
  const nodes = Array.from({ length: 1_000 }, (_, index) => ({
    id: `n${index}`,
    needs: Array.from({ length: index }, (_, before) => `n${before}`),
  }));
  const layout = layoutGraph(nodes, measures);
  expect(layout.edges).toHaveLength(999);
  expect(layout.breadth).toBe(40);
});

test("layoutGraph() gives up on bends where there are too many", () => {
  // A chain of 300, and 300 steps that need its links and end behind it all.
  const nodes = [
    ...Array.from({ length: 300 }, (_, n) => ({
      id: `c${n}`,
      needs: n === 0 ? [] : [`c${n - 1}`],
    })),
    ...Array.from({ length: 300 }, (_, n) => ({ id: `s${n}`, needs: [] })),
    {
      id: "end",
      needs: ["c299", ...Array.from({ length: 300 }, (_, n) => `s${n}`)],
    },
  ];
  const layout = layoutGraph(nodes, measures);
  expect(layout.edges).toHaveLength(600);
  const last = layout.edges.find(({ from }) => from === "s299");
  expect(last?.points).toHaveLength(2);
});
