/**
 * Takes out the commas that stand behind the last element of an array or an
 * object, as the examples of Dray's document have them. What stands in
 * strings stays. Takes time proportional to the text, whatever it is.
 */
export function withoutTrailingCommas(text: string): string {
  const pieces: string[] = [];
  let taken = 0;
  /** Where a comma stands that only white space has followed so far. */
  let comma: number | undefined;
  let before = "";
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (isInString) {
      if (character === "\\") at++;
      else if (character === '"') isInString = false;
      continue;
    }
    if (isSpace(character)) continue;
    if (comma !== undefined && (character === "]" || character === "}")) {
      pieces.push(text.slice(taken, comma));
      taken = comma + 1;
    }
    // "[,]" and "[1,,]" have a comma too many, and stay wrong.
    comma = character === "," && !"[{,:".includes(before) ? at : undefined;
    before = character;
    isInString = character === '"';
  }
  return pieces.join("") + text.slice(taken);
}

function isSpace(character: string): boolean {
  return (
    character === " " ||
    character === "\n" ||
    character === "\t" ||
    character === "\r"
  );
}
