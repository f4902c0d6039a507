import type { Api } from "../api/api.js";
import type { LogLine } from "./log-buffer.js";
import { LogBuffer } from "./log-buffer.js";

/** How much of a stream's end is read to be shown. */
const tailBytes = 256 * 1_024;

/** The end of what a step wrote. */
export interface LogTail {
  readonly buffer: LogBuffer;
  /** Streams of which there is more before. */
  readonly isCut: readonly LogLine["stream"][];
}

/**
 * Reads the end of the log of a step that has ended: standard output, and
 * behind it standard error, since nobody knows any more what came when.
 */
export async function readLogTail(
  api: Pick<Api, "get">,
  step: {
    readonly name: string;
    readonly log: Readonly<
      Record<LogLine["stream"], { url: string; sizeBytes?: number | undefined }>
    >;
  },
  signal: AbortSignal,
): Promise<LogTail> {
  const buffer = new LogBuffer();
  const isCut: LogLine["stream"][] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    const { url, sizeBytes = 0 } = step.log[stream];
    if (sizeBytes === 0) continue;
    const first = Math.max(0, sizeBytes - tailBytes);
    const headers = { range: `bytes=${first}-${sizeBytes - 1}` };
    const response = await api.get(url, { headers, signal });
    let text = await response.text();
    if (first > 0) {
      isCut.push(stream);
      // It begins in the middle of a line, or of a character.
      text = text.slice(text.indexOf("\n") + 1);
    }
    const piece = { step: step.name, stream, offset: 0, bytes: tailBytes };
    buffer.push({ ...piece, text: text.endsWith("\n") ? text : `${text}\n` });
  }
  return { buffer, isCut };
}
