import { Code, StatusError } from "../../lib/status/index.js";

/** Longest line of the protocol, its newline included; contract of the socket. */
export const maximumLineBytes = 4096;

/**
 * Cuts a stream of bytes into lines without their newlines. What follows the
 * last newline is dropped. Throws InvalidArgument as soon as a line is longer
 * than the protocol allows, so that never more than one line is kept.
 */
export class LineReader {
  #rest = "";

  /** The lines that the chunk completes. */
  push(chunk: Buffer): string[] {
    const lines = (this.#rest + chunk.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of [...lines, this.#rest]) {
      if (line.length >= maximumLineBytes) {
        throw new StatusError(
          Code.InvalidArgument,
          `Line must have ${maximumLineBytes} bytes at most`,
        );
      }
    }
    return lines;
  }
}
