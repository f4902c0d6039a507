/**
 * Compiles a pattern in which "*" stands for any characters but "/", "**" for
 * any characters, and all else for itself. Matching takes time proportional
 * to pattern times text: a regular expression with several wildcards could be
 * made to backtrack for minutes by a text that a client chooses.
 */
export function compileWildcards(pattern: string): (text: string) => boolean {
  const tokens = pattern.match(/\*\*|\*|[^*]/g) ?? [];
  // A state is how many tokens are done; they are added in ascending order. A
  // wildcard may also stand for nothing.
  const add = (states: number[], state: number): void => {
    if (state <= (states.at(-1) ?? -1)) return;
    states.push(state);
    if (tokens[state]?.startsWith("*")) add(states, state + 1);
  };
  return (text) => {
    let states: number[] = [];
    add(states, 0);
    for (const character of text) {
      const next: number[] = [];
      for (const state of states) {
        const token = tokens[state];
        if (token === character) add(next, state + 1);
        else if (token === "**" || (token === "*" && character !== "/")) {
          add(next, state);
        }
      }
      states = next;
    }
    return states.at(-1) === tokens.length;
  };
}
