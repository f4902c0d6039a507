import type { Layer, LayerEntry } from "../layer/index.js";
import { Code, StatusError, wrap } from "../status/index.js";
import { quoteBytes } from "../tar/index.js";
import type { ImageTreeLimits } from "./image-tree-limits.js";
import {
  createDirectory,
  type MutableDirectory,
  type MutableNode,
  type PendingLink,
} from "./mutable-node.js";
import { PathResolver } from "./path-resolver.js";

/** A layer; its entries are looked at once. */
export type ReplayableLayer = Omit<Layer, "entries"> & {
  readonly entries: Iterable<LayerEntry>;
};

/** A name in a directory, and what is there. */
interface Place {
  readonly parent: MutableDirectory;
  readonly name: string;
  readonly node: MutableNode | undefined;
}

/**
 * Replays layers, lowest first, into a tree, as umoci and containerd unpack
 * them onto a disk: entries in the archive's order, each replacing what was
 * there (a directory over a directory only changes its mode and time);
 * whiteouts hide what lower layers have, wherever in the archive they stand.
 *
 * One thing is more than theirs: a hard link may come before its target, so
 * that the order in which a builder found the names does not matter.
 */
export class LayerReplay {
  readonly root: MutableDirectory = createDirectory(-1);
  readonly #resolver: PathResolver;
  readonly #limits: ImageTreeLimits;
  #layer = -1;
  #entryCount = 0;
  #linkGroups = 0;
  #pendingLinks: Place[] = [];
  #specials: Place[] = [];
  /** Where the last entry went, until a directory or link is removed. */
  #lastParent: MutableDirectory | undefined;
  #lastParentPath = "";

  constructor(limits: ImageTreeLimits) {
    this.#limits = limits;
    this.#resolver = new PathResolver(this.root, limits.depth);
  }

  /** The next layer. Throws naming layer and entry; then all is undefined. */
  apply(layer: ReplayableLayer): void {
    this.#layer++;
    this.#lastParent = undefined;
    let current = "";
    try {
      for (const entry of layer.entries) {
        current = entry.path;
        this.#apply(entry);
      }
      for (const { parent, name, node } of this.#pendingLinks) {
        if (node?.type !== "pendingLink") continue;
        current = name;
        this.#settle({ parent, name, node });
      }
    } catch (error) {
      throw wrap(
        wrap(error, `Failed to replay entry ${quoteBytes(current)}`),
        `Failed to replay layer "${layer.diffId}"`,
      );
    }
    this.#pendingLinks = [];
  }

  /** All layers are replayed: takes out what only kept its place. */
  finish(): void {
    for (const { parent, name, node } of this.#specials) {
      if (parent.children.get(name) === node) parent.children.delete(name);
    }
    this.#specials = [];
  }

  #apply(entry: LayerEntry): void {
    switch (entry.type) {
      case "whiteout":
        this.#whiteout(entry.path);
        return;
      case "opaque": {
        const path = this.#resolver.resolve(entry.path);
        const directory = this.#resolver.find(path);
        if (directory !== undefined) this.#hide(directory);
        return;
      }
      case "directory":
        this.#directory(entry);
        return;
      case "file":
      case "symlink":
      case "special":
      case "hardLink":
        this.#put(entry);
        return;
    }
  }

  #directory(entry: LayerEntry & { type: "directory" }): void {
    let directory: MutableNode | undefined = this.root;
    if (entry.path !== "") {
      const place = this.#open(entry.path);
      directory = place.node;
      if (directory?.type !== "directory") {
        directory = createDirectory(this.#layer);
        this.#set(place, directory);
      }
    }
    directory.mode = entry.mode;
    directory.mtimeSeconds = entry.mtimeSeconds;
    directory.layer = this.#layer;
  }

  #put(entry: Exclude<LayerEntry, { type: "directory" }>): void {
    const place = this.#open(entry.path);
    const layer = this.#layer;
    switch (entry.type) {
      case "file":
        this.#set(place, {
          type: entry.type,
          sha256: entry.sha256,
          sizeBytes: entry.sizeBytes,
          mode: entry.mode,
          mtimeSeconds: entry.mtimeSeconds,
          linkGroup: undefined,
          layer,
        });
        return;
      case "symlink":
        this.#set(place, { type: entry.type, target: entry.target, layer });
        return;
      case "special":
        this.#specials.push(this.#set(place, { type: entry.type, layer }));
        return;
      case "hardLink":
        this.#hardLink(place, entry.target);
        return;
    }
  }

  #hardLink(place: Place, target: string): void {
    // What was at the path is gone before the target is looked for (umoci).
    this.#remove(place);
    const layer = this.#layer;
    const { node } = this.#find(target);
    if (node === undefined || node.type === "pendingLink") {
      this.#pendingLinks.push(
        this.#set(place, { type: "pendingLink", target, layer }),
      );
      return;
    }
    const link = this.#set(place, this.#linkTo(node));
    if (node.type === "special") this.#specials.push(link);
  }

  /** A node for one more path of what is at another one. */
  #linkTo(node: Exclude<MutableNode, PendingLink>): MutableNode {
    if (node.type === "directory") {
      throw invalid("Hard link must not lead to a directory");
    }
    if (node.type === "file") node.linkGroup ??= ++this.#linkGroups;
    return { ...node, layer: this.#layer };
  }

  // The layer is complete: what a link names is there now, or never.
  #settle(first: Place & { node: PendingLink }): void {
    const chain: Place[] = [];
    const seen = new Set<PendingLink>();
    let place: Place = first;
    while (place.node?.type === "pendingLink") {
      if (seen.has(place.node)) {
        throw invalid("Hard link must not lead to itself");
      }
      seen.add(place.node);
      chain.push(place);
      place = this.#find(place.node.target);
    }
    const { node } = place;
    if (node === undefined) {
      throw invalid("Hard link must lead to an entry of the image");
    }
    for (const { parent, name, node: link } of chain) {
      if (parent.children.get(name) !== link) continue; // replaced since
      const settled = this.#linkTo(node);
      parent.children.set(name, settled);
      if (node.type === "special") {
        this.#specials.push({ parent, name, node: settled });
      }
    }
  }

  #whiteout(path: string): void {
    const place = this.#find(path);
    const { node } = place;
    if (node === undefined) return;
    if (node.layer !== this.#layer) this.#remove(place);
    else if (node.type === "directory") this.#hide(node);
  }

  /** Takes out of a directory all that this layer has not touched. */
  #hide(directory: MutableDirectory): void {
    // Once is enough: what this layer adds later is touched by it. And it has
    // to be, or whiteouts repeated by the thousand would keep a core busy.
    if (directory.hiddenBy === this.#layer) return;
    directory.hiddenBy = this.#layer;
    for (const [name, node] of directory.children) {
      if (node.layer !== this.#layer) {
        this.#remove({ parent: directory, name, node });
      } else if (node.type === "directory") {
        this.#hide(node);
      }
    }
  }

  /** Where an entry goes; directories on the way are made. */
  #open(path: string): Place {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const parentPath = path.slice(0, Math.max(0, slash));
    let parent = this.#lastParent;
    // Archives list a directory's entries one after the other.
    if (parent === undefined || parentPath !== this.#lastParentPath) {
      const resolved = this.#resolver.resolve(parentPath);
      parent = this.#resolver.open(resolved, this.#layer, () => {
        this.#count(1);
        return createDirectory(this.#layer);
      });
      this.#lastParent = parent;
      this.#lastParentPath = parentPath;
    }
    return { parent, name, node: parent.children.get(name) };
  }

  /** What is at a path; its last component is not followed. */
  #find(path: string): Place {
    if (path === "") return { parent: this.root, name: "", node: this.root };
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const parentPath = path.slice(0, Math.max(0, slash));
    const parent = this.#resolver.find(this.#resolver.resolve(parentPath));
    const node = parent?.children.get(name);
    return { parent: parent ?? this.root, name, node };
  }

  #set(place: Place, node: MutableNode): Place {
    this.#remove(place);
    this.#count(1);
    place.parent.children.set(place.name, node);
    return { ...place, node };
  }

  #remove({ parent, name, node }: Place): void {
    if (node === undefined || !parent.children.delete(name)) return;
    // Paths may lead elsewhere now.
    if (node.type !== "file") this.#lastParent = undefined;
    this.#count(-countNodes(node));
  }

  #count(difference: number): void {
    this.#entryCount += difference;
    if (this.#entryCount > this.#limits.entries) {
      throw new StatusError(
        Code.ResourceExhausted,
        `Image must have at most ${this.#limits.entries} entries`,
      );
    }
  }
}

function countNodes(node: MutableNode): number {
  if (node.type !== "directory") return 1;
  let count = 1;
  for (const child of node.children.values()) count += countNodes(child);
  return count;
}

function invalid(text: string): StatusError {
  return new StatusError(Code.InvalidArgument, text);
}
