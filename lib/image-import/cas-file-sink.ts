import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Digest } from "../digest/index.js";
import type { FileSink } from "../layer/index.js";
import {
  Code,
  innerErrno,
  isDiskFull,
  StatusError,
  wrap,
} from "../status/index.js";
import { type BlobUploader, largestReservedBytes } from "./blob-uploader.js";

/** A file that is being read. */
type Open =
  | { readonly kind: "memory"; readonly data: Buffer; at: number }
  | { readonly kind: "spool"; readonly fd: number; readonly path: string };

/**
 * Stores the files of a layer in CAS. A file's digest, by which CAS is asked
 * for it, is known only at its end: small ones wait in memory, large ones in
 * the spool folder. Made for one layer; `close` in any case.
 */
export class CasFileSink implements FileSink {
  readonly #uploader: BlobUploader;
  readonly #spoolDirectory: string;
  #open: Open | undefined;
  #sizeBytes = 0;
  #files = 0;

  constructor(uploader: BlobUploader, spoolDirectory: string) {
    this.#uploader = uploader;
    this.#spoolDirectory = mkdtempSync(join(spoolDirectory, "layer-"));
  }

  begin({ sizeBytes }: { readonly sizeBytes: number }): void | Promise<void> {
    this.#sizeBytes = sizeBytes;
    if (sizeBytes <= largestReservedBytes) {
      const data = this.#uploader.reserve(sizeBytes);
      const hold = (held: Buffer) => {
        this.#open = { kind: "memory", data: held, at: 0 };
      };
      return Buffer.isBuffer(data) ? hold(data) : data.then(hold);
    }
    const path = join(this.#spoolDirectory, `${this.#files++}`);
    this.#open = { kind: "spool", fd: openSync(path, "wx", 0o600), path };
    return undefined;
  }

  write(chunk: Uint8Array): void {
    const open = this.#open;
    if (open === undefined) return;
    if (open.kind === "memory") {
      open.data.set(chunk, open.at);
      open.at += chunk.byteLength;
      return;
    }
    try {
      for (let at = 0; at < chunk.byteLength; ) {
        at += writeSync(open.fd, chunk, at);
      }
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      throw new StatusError(
        Code.ResourceExhausted,
        `No room in "${this.#spoolDirectory}" for a file of ${this.#sizeBytes} bytes (${innerErrno(error)})`,
        { cause: error },
      );
    }
  }

  end(sha256: string): void | Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return undefined;
    const digest = Digest.create(sha256, this.#sizeBytes);
    if (open.kind === "memory") return this.#uploader.add(digest, open.data);
    closeSync(open.fd);
    return this.#store(digest, open.path);
  }

  /** Closes and removes what is left; the uploader must have ended. */
  close(): void {
    if (this.#open?.kind === "spool") closeSync(this.#open.fd);
    this.#open = undefined;
    rmSync(this.#spoolDirectory, { recursive: true });
  }

  async #store(digest: Digest, path: string): Promise<void> {
    try {
      await this.#uploader.addStream(
        digest,
        () => createReadStream(path, { highWaterMark: 2 ** 18 }),
        () => unlinkSync(path),
      );
    } catch (error) {
      throw wrap(error, "Failed to store a file");
    }
  }
}
