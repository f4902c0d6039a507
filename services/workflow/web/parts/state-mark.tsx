import type { JSX } from "preact";
import { type StateName, stateLabel } from "../text/states.js";

/**
 * A state as shape and word: the shapes differ, so that nobody has to tell
 * colours apart.
 */
export function StateMark({ state }: { state: StateName }): JSX.Element {
  return (
    <span class={`state state-${state}`}>
      <StateIcon state={state} />
      <span>{stateLabel(state)}</span>
    </span>
  );
}

/** The shape alone, for where the word stands beside it. */
export function StateIcon({ state }: { state: StateName }): JSX.Element {
  return (
    <svg
      class={`icon state-icon state-${state}`}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      {shapes[state]}
    </svg>
  );
}

const circle = <circle class="line" cx="8" cy="8" r="6.5" />;
const disc = <circle class="fill" cx="8" cy="8" r="7.5" />;

const shapes: Readonly<Record<StateName, JSX.Element>> = {
  preparing: <Turning />,
  waiting: <circle class="line dotted" cx="8" cy="8" r="6.5" />,
  ready: circle,
  queued: (
    <g>
      {circle}
      <path class="line" d="M8 4.5V8l2.5 1.5" />
    </g>
  ),
  running: <Turning />,
  cancelling: <Turning />,
  succeeded: (
    <g>
      {disc}
      <path class="on-fill" d="M4.5 8.2l2.4 2.4 4.6-5" />
    </g>
  ),
  failed: (
    <g>
      <path class="fill" d="M5 .5h6L15.5 5v6L11 15.5H5L.5 11V5z" />
      <path class="on-fill" d="M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2" />
    </g>
  ),
  cancelled: (
    <g>
      {circle}
      <path class="line" d="M3.6 12.4l8.8-8.8" />
    </g>
  ),
  skipped: (
    <g>
      <path class="line" d="M2.5 4l4.5 4-4.5 4zM8.5 4L13 8l-4.5 4z" />
    </g>
  ),
  lost: (
    <g>
      <path class="fill" d="M8 .4L15.6 8 8 15.6.4 8z" />
      <path
        class="on-fill"
        d="M6.2 6.4c0-2.4 3.6-2.4 3.6 0 0 1.3-1.8 1.4-1.8 2.7"
      />
      <circle class="dot" cx="8" cy="11.4" r=".9" />
    </g>
  ),
};

function Turning(): JSX.Element {
  return (
    <g class="turning">
      <circle class="line faint" cx="8" cy="8" r="6.5" />
      <path class="line" d="M8 1.5A6.5 6.5 0 0 1 14.5 8" />
    </g>
  );
}
