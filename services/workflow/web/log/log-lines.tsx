import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { LogChunk, LogLine } from "./log-buffer.js";

/** The lines of chunks, of one step or with the names of all. */
export function LogLines({
  chunks,
  unfinished,
  step,
  silence,
}: {
  chunks: readonly LogChunk[];
  unfinished: readonly LogLine[];
  step: string | undefined;
  silence: string;
}): JSX.Element {
  const isOf = (line: LogLine) => step === undefined || line.step === step;
  const isEmpty =
    !unfinished.some(isOf) && !chunks.some(({ lines }) => lines.some(isOf));
  if (isEmpty) return <p class="quiet log-silence">{silence}</p>;
  return (
    <>
      {chunks.map(({ key, lines }, index) => (
        <Chunk
          key={key}
          lines={lines}
          step={step}
          before={chunks[index - 1]?.lines.at(-1)?.step}
        />
      ))}
      {unfinished.filter(isOf).map((line) => (
        <Line key={`${line.step} ${line.stream}`} line={line} />
      ))}
    </>
  );
}

/** Drawn again only when it has more lines. */
function Chunk({
  lines,
  step,
  before,
}: {
  lines: readonly LogLine[];
  step: string | undefined;
  /** Of which step the line before is. */
  before: string | undefined;
}): JSX.Element {
  return useMemo(() => {
    const rows: JSX.Element[] = [];
    let current = before;
    for (const [index, line] of lines.entries()) {
      if (step === undefined && line.step !== current) {
        rows.push(
          <div key={`step ${index}`} class="log-step">
            {line.step}
          </div>,
        );
      }
      current = line.step;
      if (step !== undefined && line.step !== step) continue;
      rows.push(<Line key={index} line={line} />);
    }
    return <div class="log-chunk">{rows}</div>;
  }, [lines, step, before]);
}

function Line({ line: { stream, text } }: { line: LogLine }): JSX.Element {
  // Text alone, whatever the program wrote: there is no way to HTML from here.
  return (
    <div class={`log-line log-${stream}`}>
      <span class="log-mark">{stream === "stderr" ? "err" : ""}</span>
      <span class="log-text">{text === "" ? " " : text}</span>
    </div>
  );
}
