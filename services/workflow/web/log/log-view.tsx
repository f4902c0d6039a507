import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LogBuffer, LogChunk } from "./log-buffer.js";
import { LogLines } from "./log-lines.js";

/** Nearer than this to its end, in pixels, a log is at its end. */
const nearEnd = 24;

/** What stands still while it is paused. */
interface Frozen {
  readonly chunks: readonly LogChunk[];
  readonly total: number;
}

/**
 * Lines of a log. It follows what comes until it is paused, by the button or
 * by scrolling up; then it stands still and counts. It is no live region:
 * nobody wants every line read out.
 */
export function LogView({
  log,
  step,
  isLive,
  silence,
}: {
  log: LogBuffer;
  /** Lines of this step alone. */
  step: string | undefined;
  /** Whether more may come. */
  isLive: boolean;
  /** Said where there are no lines. */
  silence: string;
}): JSX.Element {
  const [frozen, setFrozen] = useState<Frozen>();
  const pane = useRef<HTMLElement>(null);
  const chunks = frozen?.chunks ?? log.chunks();
  const unfinished = frozen === undefined ? log.unfinished() : [];
  const missed = frozen === undefined ? 0 : log.total - frozen.total;
  useLayoutEffect(() => {
    const element = pane.current;
    if (element !== null && frozen === undefined) {
      element.scrollTop = element.scrollHeight;
    }
  });
  const pause = () => setFrozen({ chunks: log.chunks(), total: log.total });
  const dropped = log.dropped(step);
  return (
    <>
      {isLive && (
        <div class="log-controls">
          <button
            type="button"
            class="button"
            aria-pressed={frozen !== undefined}
            onClick={() => (frozen ? setFrozen(undefined) : pause())}
          >
            Pause
          </button>
          <span class="quiet number">
            {frozen === undefined
              ? "Follows what is written."
              : `Paused, ${missed} new ${missed === 1 ? "line" : "lines"}.`}
          </span>
        </div>
      )}
      {dropped > 0 && (
        <p class="quiet">{dropped} earlier lines are not shown.</p>
      )}
      <section
        class="log"
        ref={pane}
        aria-label={step === undefined ? "Log of all steps" : `Log of ${step}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too.
        tabIndex={0}
        onScroll={({ currentTarget: element }) => {
          const end = element.scrollHeight - element.clientHeight;
          const isAtEnd = element.scrollTop >= end - nearEnd;
          if (isLive && !isAtEnd && frozen === undefined) pause();
        }}
      >
        <LogLines
          chunks={chunks}
          unfinished={unfinished}
          step={step}
          silence={silence}
        />
      </section>
    </>
  );
}
