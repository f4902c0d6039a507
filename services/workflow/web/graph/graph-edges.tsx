import type { JSX } from "preact";
import type { StepView } from "../../../../lib/job-api/index.js";
import type { GraphDirection } from "./graph-direction.js";
import type { GraphLayout, GraphPoint } from "./graph-layout.js";

/** The lines of a graph. Those that data or time has gone through stand out. */
export function GraphEdges({
  layout,
  direction,
  steps,
  chosen,
  margin,
}: {
  layout: GraphLayout;
  direction: GraphDirection;
  steps: readonly StepView[];
  chosen: string | undefined;
  margin: number;
}): JSX.Element {
  const done = new Set(
    steps.flatMap(({ name, state }) => (state === "succeeded" ? [name] : [])),
  );
  // As few elements as there are looks: there may be thousands of lines.
  const paths = { open: "", done: "", chosen: "" };
  for (const { from, to, points } of layout.edges) {
    const isChosen = from === chosen || to === chosen;
    const look = isChosen ? "chosen" : done.has(from) ? "done" : "open";
    paths[look] += pathOf(points, direction, margin);
  }
  return (
    <svg class="graph-edges" aria-hidden="true">
      <path class="edge" d={paths.open} />
      <path class="edge edge-done" d={paths.done} />
      <path class="edge edge-chosen" d={paths.chosen} />
    </svg>
  );
}

/** Lines along nodes, and bows between layers. */
function pathOf(
  points: readonly GraphPoint[],
  { x, y }: GraphDirection,
  margin: number,
): string {
  const at = (point: GraphPoint) =>
    `${round(x(point) + margin)} ${round(y(point) + margin)}`;
  let path = "";
  let before: GraphPoint | undefined;
  for (const point of points) {
    if (before === undefined) path += `M${at(point)}`;
    else if (before.across === point.across) path += `L${at(point)}`;
    else {
      const half = (before.along + point.along) / 2;
      const first = at({ along: half, across: before.across });
      const second = at({ along: half, across: point.across });
      path += `C${first} ${second} ${at(point)}`;
    }
    before = point;
  }
  return path;
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
