import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { ImageAround } from "./image-around.js";

/** A directory in which an image is laid out, and nothing else. */
interface Layout {
  readonly key: string;
  readonly path: string;
}

/**
 * Images around input roots that stay laid out from one action to the next:
 * an image has thousands of links and directories, and no action can change
 * them, since it sees them through an overlay (docs/adr/0013).
 */
export class FileImageLayouts {
  readonly #directory: string;
  readonly #maximum: number;
  /** The least recently used first. */
  #idle: Layout[] = [];

  /** Keeps at most so many, in a directory that is made for the first. */
  constructor(directory: string, maximum: number) {
    this.#directory = directory;
    this.#maximum = maximum;
  }

  /** Puts a layout of the image in place of an empty directory, if it can. */
  take({ key }: ImageAround, root: string): boolean {
    const found = this.#idle.findLastIndex((layout) => layout.key === key);
    const [layout] = found < 0 ? [] : this.#idle.splice(found, 1);
    if (layout === undefined) return false;
    rmdirSync(root);
    renameSync(layout.path, root);
    return true;
  }

  /**
   * Takes the layout from an action that ended, all of whose processes are
   * dead. What was the action's own is left in place of the root.
   */
  async keep({ key, ownName }: ImageAround, root: string): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = `${this.#directory}/${randomUUID()}`;
    renameSync(root, path);
    // The right to write to it is what it takes to move it.
    chmodSync(`${path}/${ownName}`, 0o700);
    renameSync(`${path}/${ownName}`, root);
    this.#idle.push({ key, path });
    if (this.#idle.length <= this.#maximum) return;
    const oldest = this.#idle.shift();
    if (oldest !== undefined) await rm(oldest.path, { recursive: true });
  }
}
