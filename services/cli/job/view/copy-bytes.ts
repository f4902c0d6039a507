import type { Output } from "../../image/output.js";
import { terminalText } from "./terminal-text.js";

/** How bytes of a stranger are written. */
export interface CopyOptions {
  readonly output: Output;
  /** Whether the output is a terminal, which they must not steer. */
  readonly isTerminal: boolean;
  /** Stands before each line. */
  readonly prefix?: string;
}

/** A line that is longer is shown in parts. */
const maximumLineLength = 2 ** 16;

/**
 * Copies bytes: as they are, unless they go to a terminal or lines are to be
 * prefixed. Then the last line is ended, and what is not UTF-8 becomes U+FFFD.
 */
export async function copyBytes(
  bytes: AsyncIterable<Uint8Array>,
  { output, isTerminal, prefix = "" }: CopyOptions,
): Promise<void> {
  if (!isTerminal && prefix === "") {
    for await (const chunk of bytes) await output.write(chunk);
    return;
  }
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const format = (line: string) =>
    `${prefix}${isTerminal ? terminalText(line) : line}\n`;
  let rest = "";
  for await (const chunk of bytes) {
    const text = rest + decoder.decode(chunk, { stream: true });
    const lines = text.split(/\r?\n/);
    rest = lines.pop() ?? "";
    while (rest.length > maximumLineLength) {
      lines.push(rest.slice(0, maximumLineLength));
      rest = rest.slice(maximumLineLength);
    }
    await output.write(lines.map(format).join(""));
  }
  rest += decoder.decode();
  if (rest !== "") await output.write(format(rest.replace(/\r$/, "")));
}
