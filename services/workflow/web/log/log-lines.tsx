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
        <Line
          key={`${line.step} ${line.stream}`}
          line={line}
          step={step}
          isNew={true}
        />
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
      if (step !== undefined && line.step !== step) continue;
      const isNew = line.step !== current;
      current = line.step;
      rows.push(<Line key={index} line={line} isNew={isNew} step={step} />);
    }
    return <div class="log-chunk">{rows}</div>;
  }, [lines, step, before]);
}

function Line({
  line,
  step,
  isNew,
}: {
  line: LogLine;
  /** Of which step all lines are. */
  step: string | undefined;
  /** Whether the line before is of another step. */
  isNew: boolean;
}): JSX.Element {
  const { stream, text } = line;
  const look = isNew ? "log-step log-step-new" : "log-step";
  const name = (
    <span class={look} title={line.step}>
      {line.step}
    </span>
  );
  // Text alone, whatever the program wrote: there is no way to HTML from here.
  return (
    <div class={`log-line log-${stream}`}>
      {step === undefined && name}
      <span class="log-mark">{stream === "stderr" ? "err" : ""}</span>
      <span class="log-text">{text === "" ? " " : text}</span>
    </div>
  );
}
