/** One way to authenticate that a server offers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: "basic", "bearer". */
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Far more than any registry sends; bounds what is scanned. */
const maximumHeaderLength = 8192;

/**
 * Reads a WWW-Authenticate header. What cannot be understood ends the list
 * without an error: the challenges read until there may still serve.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const part =
    /[\s,]*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))|([\w!#$%&'*+.^`|~-]+)(?=\s|,|$))/y;
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const text = header.slice(0, maximumHeaderLength);
  for (;;) {
    const match = part.exec(text);
    if (match === null) return challenges;
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) {
      challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
      continue;
    }
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
    const parameters = challenges.at(-1)?.parameters;
    // A parameter given twice keeps its first value.
    if (name !== undefined && parameters?.has(name.toLowerCase()) === false) {
      parameters.set(name.toLowerCase(), value);
    }
  }
}
