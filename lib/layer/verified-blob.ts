import { createHash } from "node:crypto";
import { Code, StatusError } from "../status/index.js";
import type { LayerDescriptor } from "./layer-descriptor.js";

/**
 * A blob that is checked against its descriptor while it is read: no byte
 * beyond the stated size is handed out, and the end is only reported when size
 * and digest are right. Reads the source strictly one chunk after the other.
 */
export class VerifiedBlob {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #descriptor: LayerDescriptor;
  readonly #hash = createHash("sha256");
  #readBytes = 0;
  #state: "open" | "verified" | "failed" = "open";

  constructor(source: AsyncIterable<Uint8Array>, descriptor: LayerDescriptor) {
    this.#chunks = source[Symbol.asyncIterator]();
    this.#descriptor = descriptor;
  }

  /**
   * The next chunk; undefined at the verified end. Throws DataLoss when size
   * or digest are wrong, and what the source throws.
   */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#state === "verified") return undefined;
    try {
      const result = await this.#chunks.next();
      if (result.done) {
        this.#checkEnd();
        this.#state = "verified";
        return undefined;
      }
      this.#readBytes += result.value.length;
      if (this.#readBytes > this.#descriptor.sizeBytes) this.#fail("more");
      this.#hash.update(result.value);
      return result.value;
    } catch (error) {
      this.#state = "failed";
      throw error;
    }
  }

  /**
   * Reads on to the end without a use for the bytes: throws DataLoss when the
   * blob is not what its descriptor says. Does nothing once reading failed.
   */
  async verifyRest(): Promise<void> {
    while (this.#state === "open") await this.next();
  }

  /** Lets go of the source, unless it ended by itself. Never rejects. */
  async close(): Promise<void> {
    if (this.#state === "verified") return;
    try {
      await this.#chunks.return?.();
    } catch {
      // Reading failed before, and why is what the caller has to know.
    }
  }

  #checkEnd(): void {
    if (this.#readBytes < this.#descriptor.sizeBytes) {
      this.#fail(`${this.#readBytes}`);
    }
    const digest = `sha256:${this.#hash.digest("hex")}`;
    if (digest !== this.#descriptor.digest) {
      throw new StatusError(
        Code.DataLoss,
        `Blob must have digest ${this.#descriptor.digest}: current value is ${digest}`,
      );
    }
  }

  #fail(size: string): never {
    throw new StatusError(
      Code.DataLoss,
      `Blob must have ${this.#descriptor.sizeBytes} bytes: current value is ${size}`,
    );
  }
}
