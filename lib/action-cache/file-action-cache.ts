import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import { wrap } from "../status/index.js";
import type { ActionCache } from "./action-cache.js";

/** Bytes of the checksum in front of a stored result. */
const checksumBytes = 32;

/** Results kept decoded in memory. */
const rememberedResults = 2_000;

/**
 * An action cache on disk that outlives its process, killed at any time: one
 * file per result with a checksum in front, renamed into place. A file that
 * is not whole (the kernel lost it in a power cut) is a miss.
 */
export class FileActionCache implements ActionCache {
  readonly #directory: string;
  /** Names of the files, in the order of use. */
  readonly #names: LRUCache<string, true>;
  readonly #decoded = new LRUCache<string, ActionResult>({
    max: rememberedResults,
  });

  constructor(options: { directory: string; maximumResults: number }) {
    this.#directory = options.directory;
    this.#names = new LRUCache({
      max: options.maximumResults,
      dispose: (_, name, reason) => {
        if (reason === "evict") this.#remove(name);
      },
    });
    for (let prefix = 0; prefix < 256; prefix++) {
      const folder = prefix.toString(16).padStart(2, "0");
      mkdirSync(join(this.#directory, folder), { recursive: true });
    }
    this.#load();
  }

  async get(
    action: Digest,
    { instanceName }: CasContext,
  ): Promise<ActionResult | undefined> {
    const name = nameOf(action, instanceName);
    if (this.#names.get(name) === undefined) return undefined;
    const known = this.#decoded.get(name);
    if (known !== undefined) return known;
    const result = this.#read(name);
    if (result === undefined) {
      this.#names.delete(name);
      this.#remove(name);
      return undefined;
    }
    this.#decoded.set(name, result);
    return result;
  }

  async put(
    action: Digest,
    result: ActionResult,
    { instanceName }: CasContext,
  ): Promise<void> {
    const name = nameOf(action, instanceName);
    const encoded = ActionResult.encode(result).finish();
    const path = this.#path(name);
    try {
      writeFileSync(`${path}.new`, Buffer.concat([checksum(encoded), encoded]));
      renameSync(`${path}.new`, path);
    } catch (error) {
      throw wrap(error, `Failed to store result of action "${action}"`);
    }
    this.#names.set(name, true);
    this.#decoded.set(name, result);
  }

  #load(): void {
    for (const folder of readdirSync(this.#directory)) {
      for (const file of readdirSync(join(this.#directory, folder))) {
        if (/^[0-9a-f]{64}$/.test(file)) this.#names.set(file, true);
        else rmSync(join(this.#directory, folder, file));
      }
    }
  }

  #read(name: string): ActionResult | undefined {
    try {
      const stored = readFileSync(this.#path(name));
      const encoded = stored.subarray(checksumBytes);
      if (!checksum(encoded).equals(stored.subarray(0, checksumBytes))) {
        return undefined;
      }
      return ActionResult.decode(encoded);
    } catch {
      return undefined; // an entry that cannot be read is one we do not have
    }
  }

  #remove(name: string): void {
    this.#decoded.delete(name);
    rmSync(this.#path(name), { force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name.slice(0, 2), name);
  }
}

function nameOf(action: Digest, instanceName: string): string {
  return createHash("sha256")
    .update(`${action.key}\0${instanceName}`)
    .digest("hex");
}

function checksum(data: Uint8Array): Buffer {
  return createHash("sha256").update(data).digest();
}
