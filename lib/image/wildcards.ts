/**
 * Compiles a pattern in which "*" stands for any characters but "/", "**" for
 * any characters, and all else for itself. Matching takes time proportional
 * to pattern times text: a regular expression with several wildcards could be
 * made to backtrack for minutes by a text that a client chooses.
 */
export function compileWildcards(pattern: string): (text: string) => boolean {
  const tokens = pattern.match(/\*\*|\*|[^*]/g) ?? [];
  // A state is how many tokens are done; a wildcard may also stand for nothing.
  const withSkips = (states: Set<number>): Set<number> => {
    for (const state of states) {
      if (tokens[state]?.startsWith("*")) states.add(state + 1);
    }
    return states;
  };
  return (text) => {
    let states = withSkips(new Set([0]));
    for (const character of text) {
      const next = new Set<number>();
      for (const state of states) {
        const token = tokens[state];
        if (token === character) next.add(state + 1);
        else if (token === "**" || (token === "*" && character !== "/")) {
          next.add(state);
        }
      }
      states = withSkips(next);
    }
    return states.has(tokens.length);
  };
}
