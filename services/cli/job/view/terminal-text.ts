/** Colours and other looks (ECMA-48, SGR), and nothing that moves or asks. */
const look = "\\u001b\\[[0-9;:]{0,64}m";

/**
 * What could steer a terminal, or make a line look like another one: control
 * characters, marks that turn the direction of text, separators of lines.
 */
const steering =
  "[\\u0000-\\u0008\\u000a-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]";

const lookOrSteering = new RegExp(`${look}|${steering}`, "g");

const looks = new RegExp(look, "g");

/**
 * Text of a stranger as a part of one line of a terminal: colours stay, and
 * end with it; all that could steer the terminal is escaped.
 */
export function terminalText(text: string): string {
  let hasLook = false;
  const safe = text.replace(lookOrSteering, (found) => {
    if (found.length > 1) {
      hasLook = true;
      return found;
    }
    return `\\u{${found.charCodeAt(0).toString(16)}}`;
  });
  return hasLook ? `${safe}\u001b[0m` : safe;
}

/** Likewise, without colours: for names and reasons. */
export function plainText(text: string): string {
  return terminalText(text.replace(looks, ""));
}
