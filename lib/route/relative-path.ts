import { Code, StatusError } from "../status/index.js";
import { quote } from "./quote.js";

/**
 * Brings a path of a command into one spelling, by its text alone as workers
 * do: no ".", no empty components, ".." only at the front. `base` are the
 * components that the path is relative to. Throws InvalidArgument, naming the
 * path as `what`, when it is absolute, holds NUL, or leaves the input root.
 */
export function normaliseRelativePath(
  path: string,
  what: string,
  base: readonly string[] = [],
): readonly string[] {
  if (path.startsWith("/")) refuse(what, "be relative", path);
  if (path.includes("\0")) refuse(what, "not hold NUL", path);
  const components: string[] = [];
  let up = 0;
  for (const component of path.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (components.length > up) components.pop();
    else {
      up++;
      components.push(component);
      if (up > base.length) refuse(what, "stay within the input root", path);
    }
  }
  return components;
}

function refuse(what: string, rule: string, path: string): never {
  throw new StatusError(
    Code.InvalidArgument,
    `${what} must ${rule}: current value is ${quote(path)}`,
  );
}
