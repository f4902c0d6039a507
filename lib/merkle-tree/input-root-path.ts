import { Code, StatusError } from "../status/index.js";

/**
 * Normalises a path that an action's command names, relative to a base
 * directory: no empty components, "." or ".." remain. The answer is relative
 * to the input root, "" for the input root itself. Throws InvalidArgument,
 * with `what` in the text, for absolute paths, NUL bytes, and paths that
 * leave the input root.
 */
export function resolveInputRootPath(
  path: string,
  options: {
    /** What the path is, for the error: 'Output path'. */
    readonly what: string;
    /** Normalised path of the base directory; default: the input root. */
    readonly base?: string;
  },
): string {
  const refuse = (why: string) =>
    new StatusError(
      Code.InvalidArgument,
      `${options.what} must ${why}: current value is ${JSON.stringify(path.slice(0, 200))}`,
    );
  if (path.startsWith("/")) throw refuse("be relative");
  if (path.includes("\0")) throw refuse("hold no NUL byte");
  const { base = "" } = options;
  const components = base === "" ? [] : base.split("/");
  for (const component of path.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (components.pop() === undefined) {
      throw refuse("stay inside the input root");
    }
  }
  return components.join("/");
}
