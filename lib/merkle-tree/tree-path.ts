/** Longest part of a path that an error text shows. */
const shownLength = 200;

/** The path of a node in a Directory at `path`, "" for the root. */
export function joinTreePath(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

/** A path for an error text: in quotes, its end cut off where it is long. */
export function quoteTreePath(path: string): string {
  return path.length <= shownLength
    ? JSON.stringify(path)
    : `${JSON.stringify(path.slice(0, shownLength))}…`;
}
