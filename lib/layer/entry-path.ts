import { Code, StatusError } from "../status/index.js";

/** Longest path and symbolic link target of Linux (PATH_MAX less its NUL). */
export const maximumPathBytes = 4095;

/** Longest name in a directory of Linux (NAME_MAX). */
const maximumNameBytes = 255;

// A component that is empty, "." or "..".
const oddComponent = /(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * The path that a name in an archive stands for: as if its root were "/", and
 * without a look at any link, as umoci has it ("a/../../b" and "/b" are "b").
 * Throws InvalidArgument on one that no Linux file system can hold, and
 * ResourceExhausted on one deeper than the limit.
 */
export function normaliseEntryPath(name: string, depth: number): string {
  const bare = name.endsWith("/") ? name.slice(0, -1) : name;
  const path = oddComponent.test(bare) ? clean(bare) : bare;
  if (path.length > maximumPathBytes) {
    throw new StatusError(
      Code.InvalidArgument,
      `Path must have at most ${maximumPathBytes} bytes`,
    );
  }
  checkComponents(path, depth);
  return path;
}

function clean(name: string): string {
  const components: string[] = [];
  for (const component of name.split("/")) {
    if (component === "..") components.pop();
    else if (component !== "" && component !== ".") components.push(component);
  }
  return components.join("/");
}

function checkComponents(path: string, depth: number): void {
  let count = 0;
  for (let start = 0; start <= path.length; count++) {
    const slash = path.indexOf("/", start);
    const end = slash === -1 ? path.length : slash;
    if (end - start > maximumNameBytes) {
      throw new StatusError(
        Code.InvalidArgument,
        `Name must have at most ${maximumNameBytes} bytes`,
      );
    }
    start = end + 1;
  }
  if (count > depth) {
    throw new StatusError(
      Code.ResourceExhausted,
      `Path must have at most ${depth} components`,
    );
  }
}
