import type { GraphPoint } from "./graph-layout.js";

/** How a layout's directions become those of the screen. */
export interface GraphDirection {
  x(point: GraphPoint): number;
  y(point: GraphPoint): number;
}

/** Steps follow each other to the right. */
export const rightward: GraphDirection = {
  x: ({ along }) => along,
  y: ({ across }) => across,
};

/** Steps follow each other downward, where there is no room to the right. */
export const downward: GraphDirection = {
  x: ({ across }) => across,
  y: ({ along }) => along,
};
