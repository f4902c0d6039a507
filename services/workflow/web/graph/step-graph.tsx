import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { JobView, StepView } from "../../../../lib/job-api/index.js";
import { CacheMark } from "../parts/cache-mark.js";
import { Elapsed } from "../parts/elapsed.js";
import { StateIcon } from "../parts/state-mark.js";
import { useNarrow } from "../parts/use-narrow.js";
import { hrefOf } from "../route.js";
import { stateLabel } from "../text/states.js";
import { downward, rightward } from "./graph-direction.js";
import { GraphEdges } from "./graph-edges.js";
import {
  type GraphLayout,
  type GraphPoint,
  layoutGraph,
} from "./graph-layout.js";

const wideNode = { width: 220, height: 64 };

/** Two fit beside each other; their names take two lines. */
const narrowNode = { width: 152, height: 96 };

/** Room for the ring of focus, which must not be cut off. */
const margin = 8;

/**
 * A job's steps, and which wait for which. Each step is an item of a list, in
 * the order in which they were written, that lies where the layout puts it;
 * the lines between them are for eyes only, and said in words as well.
 */
export function StepGraph({
  job,
  chosen,
}: {
  job: JobView;
  chosen: string | undefined;
}): JSX.Element {
  const isDownward = useNarrow();
  const node = isDownward ? narrowNode : wideNode;
  const layout = useLayout(job.steps, { node, isDownward });
  const direction = isDownward ? downward : rightward;
  const [width, height] = isDownward
    ? [layout.breadth, layout.length]
    : [layout.length, layout.breadth];
  const scroller = useRef<HTMLElement>(null);
  useChosenInView(scroller, chosen);
  return (
    <section
      class="graph"
      ref={scroller}
      aria-label="Graph of steps"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too.
      tabIndex={0}
    >
      <div
        class="graph-plane"
        style={{
          width: `${width + 2 * margin}px`,
          height: `${height + 2 * margin}px`,
        }}
      >
        <GraphEdges
          {...{ layout, direction, steps: job.steps, chosen, margin }}
        />
        <ol class="graph-nodes">
          {job.steps.map((step) => {
            const point = layout.nodes.get(step.name) ?? origin;
            return (
              <li
                key={step.name}
                style={{
                  left: `${direction.x(point) + margin}px`,
                  top: `${direction.y(point) + margin}px`,
                  width: `${node.width}px`,
                  height: `${node.height}px`,
                }}
              >
                <Node id={job.id} step={step} isChosen={step.name === chosen} />
              </li>
            );
          })}
        </ol>
      </div>
    </section>
  );
}

const origin: GraphPoint = { along: 0, across: 0 };

interface Drawing {
  readonly node: { readonly width: number; readonly height: number };
  readonly isDownward: boolean;
}

/** Laid out again only when the graph is another: it never is, but at first. */
function useLayout(
  steps: readonly StepView[],
  { node: { width, height }, isDownward }: Drawing,
): GraphLayout {
  const key = JSON.stringify(steps.map(({ name, needs }) => [name, needs]));
  return useMemo(() => {
    return layoutGraph(
      steps.map(({ name, needs }) => ({ id: name, needs })),
      isDownward
        ? {
            node: { length: height, breadth: width },
            layerGap: 36,
            nodeGap: 14,
          }
        : {
            node: { length: width, breadth: height },
            layerGap: 56,
            nodeGap: 20,
          },
    );
  }, [key, isDownward, width, height]);
}

/** Scrolls the graph, and nothing else, to the step that was chosen. */
function useChosenInView(
  scroller: { current: HTMLElement | null },
  chosen: string | undefined,
): void {
  useEffect(() => {
    const frame = scroller.current;
    const item = frame?.querySelector<HTMLElement>("[aria-current]");
    const place = item?.closest<HTMLElement>("li");
    if (frame === null || place === null || place === undefined) return;
    const isSeen =
      place.offsetLeft >= frame.scrollLeft &&
      place.offsetLeft + place.offsetWidth <=
        frame.scrollLeft + frame.clientWidth &&
      place.offsetTop >= frame.scrollTop &&
      place.offsetTop + place.offsetHeight <=
        frame.scrollTop + frame.clientHeight;
    if (isSeen) return;
    frame.scrollTo({
      left: place.offsetLeft - (frame.clientWidth - place.offsetWidth) / 2,
      top: place.offsetTop - (frame.clientHeight - place.offsetHeight) / 2,
    });
  }, [scroller, chosen]);
}

function Node({
  id,
  step,
  isChosen,
}: {
  id: string;
  step: StepView;
  isChosen: boolean;
}): JSX.Element {
  const { name, state, needs, startedAt, endedAt, cached, attempts } = step;
  return (
    <a
      class={`node state-${state}`}
      href={hrefOf({ kind: "job", id, step: name })}
      aria-current={isChosen ? "true" : undefined}
      title={name}
    >
      <StateIcon state={state} />
      <span class="node-name">{name}</span>
      <span class="node-details">
        <span class="unseen">, </span>
        <span>{stateLabel(state)}</span>
        {startedAt !== undefined && (
          <>
            <span class="unseen">, </span>
            <Elapsed from={startedAt} to={endedAt} />
          </>
        )}
        {cached && (
          <>
            <span class="unseen">, from </span>
            <CacheMark text="cache" />
          </>
        )}
        {attempts > 1 && (
          <>
            <span class="unseen">, </span>
            <span aria-hidden="true">{attempts}×</span>
            <span class="unseen">{attempts} attempts</span>
          </>
        )}
      </span>
      {needs.length > 0 && (
        <span class="unseen">, after {needs.join(", ")}</span>
      )}
    </a>
  );
}
