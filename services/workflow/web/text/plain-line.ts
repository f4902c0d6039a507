/** What terminals take as orders: CSI, OSC and other strings, short escapes. */
const escapes =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are meant.
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]/g;

/** What else is not to be shown, or would change how the rest is shown. */
const invisible =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are meant.
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A line of a log as a terminal would leave it, without colours: escapes are
 * left out, what a carriage return led to be written over is gone, and other
 * control characters, and such as turn the direction of text, are U+FFFD.
 */
export function plainLine(line: string): string {
  const written = line.replace(escapes, "").replace(/\r+$/, "");
  return written
    .slice(written.lastIndexOf("\r") + 1)
    .replace(invisible, "\ufffd");
}
