/** Longest piece of a client's text that an error repeats, in characters. */
const maximumQuotedLength = 200;

/**
 * A client's text for an error: in quotes, on one line, and cut, so that it
 * can neither forge log lines nor fill them.
 */
export function quote(text: string): string {
  if (text.length <= maximumQuotedLength) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, maximumQuotedLength))}…`;
}
