import { Code, StatusError } from "../status/index.js";
import { quoteBytes } from "../tar/index.js";
import type { MutableDirectory } from "./mutable-node.js";

/** A kernel follows no more links in one path (MAXSYMLINKS). */
const maximumLinks = 40;

/**
 * Components that may come out of links, for all paths of an image together:
 * seconds of work. Without it some hundred thousand entries beneath a chain of
 * long links keep a core busy for hours.
 */
const maximumLinkComponents = 2 ** 25;

/**
 * A path to a directory without links: each component, and what the tree has
 * there; undefined where it has nothing, or nothing that is a directory.
 */
export interface ResolvedPath {
  readonly names: readonly string[];
  readonly directories: readonly (MutableDirectory | undefined)[];
}

/**
 * Finds directories as a process chrooted to the image's root would: absolute
 * links begin at the root, ".." of the root is the root. As in umoci, ".."
 * takes back a component by name, and what does not exist, or is no directory,
 * is no obstacle before it is opened.
 */
export class PathResolver {
  readonly #root: MutableDirectory;
  readonly #maximumDepth: number;
  #linkComponents = 0;

  constructor(root: MutableDirectory, maximumDepth: number) {
    this.#root = root;
    this.#maximumDepth = maximumDepth;
  }

  /**
   * Follows all links in a path, the last component's too. Throws
   * InvalidArgument on a loop of links, ResourceExhausted on too many
   * components in links.
   */
  resolve(path: string): ResolvedPath {
    const names: string[] = [];
    const directories: (MutableDirectory | undefined)[] = [];
    // What is still to come, the next component last.
    const rest = path === "" ? [] : path.split("/").reverse();
    let links = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        names.pop();
        directories.pop();
        continue;
      }
      const parent = names.length === 0 ? this.#root : directories.at(-1);
      const node = parent?.children.get(name);
      if (node?.type !== "symlink") {
        names.push(name);
        directories.push(node?.type === "directory" ? node : undefined);
        continue;
      }
      if (++links > maximumLinks) {
        throw invalid("Path must not lead through a loop of symbolic links");
      }
      if (node.target.startsWith("/")) {
        names.length = 0;
        directories.length = 0;
      }
      this.#expand(node.target, rest);
    }
    return { names, directories };
  }

  /** The directory of a path; undefined if none is there. */
  find({ names, directories }: ResolvedPath): MutableDirectory | undefined {
    return names.length === 0 ? this.#root : directories.at(-1);
  }

  /**
   * The directory of a path, made where it is missing; it and all above it
   * become touched by the layer. Throws InvalidArgument where something else
   * is in the way, ResourceExhausted when it is too deep, and what `create`
   * throws.
   */
  open(
    { names, directories }: ResolvedPath,
    layer: number,
    create: () => MutableDirectory,
  ): MutableDirectory {
    // One more for the entry itself.
    if (names.length + 1 > this.#maximumDepth) {
      throw new StatusError(
        Code.ResourceExhausted,
        `Path must have at most ${this.#maximumDepth} components once its links are followed`,
      );
    }
    let parent = this.#root;
    parent.layer = layer;
    for (const [i, name] of names.entries()) {
      let directory = directories[i];
      if (directory === undefined) {
        if (parent.children.has(name)) throw notDirectory(names, i);
        directory = create();
        parent.children.set(name, directory);
      }
      directory.layer = layer;
      parent = directory;
    }
    return parent;
  }

  #expand(target: string, rest: string[]): void {
    const components = target.split("/");
    this.#linkComponents += components.length;
    if (this.#linkComponents > maximumLinkComponents) {
      throw new StatusError(
        Code.ResourceExhausted,
        `Links that are followed must have at most ${maximumLinkComponents} components together`,
      );
    }
    for (let i = components.length - 1; i >= 0; i--) {
      rest.push(components[i] ?? "");
    }
  }
}

function notDirectory(names: readonly string[], index: number): StatusError {
  const path = quoteBytes(names.slice(0, index + 1).join("/"));
  return invalid(`Path leads through ${path}, which is no directory`);
}

function invalid(text: string): StatusError {
  return new StatusError(Code.InvalidArgument, text);
}
