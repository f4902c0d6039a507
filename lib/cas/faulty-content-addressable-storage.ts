import { Digest } from "../digest/index.js";
import { type Code, StatusError } from "../status/index.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "./content-addressable-storage.js";
import { blobNotFound } from "./verify.js";

/** How a store fails for one blob. */
export type Fault =
  /** It is not there, whatever was stored. */
  | { readonly type: "missing" }
  /** It is not there until it is stored again. */
  | { readonly type: "lost" }
  /** These bytes are given instead, unverified. */
  | { readonly type: "bytes"; readonly data: Buffer }
  /** Reads and writes fail, the given number of times (default: always). */
  | { readonly type: "status"; readonly code: Code; times?: number };

/**
 * A store that fails by a table, for tests of how others bear it. It breaks
 * the interface's promises on purpose: put it behind a gRPC service.
 */
export class FaultyContentAddressableStorage
  implements ContentAddressableStorage
{
  readonly #base: ContentAddressableStorage;
  readonly #faults: Map<string, Fault>;

  /** `faults` is keyed by Digest.key, and may be changed at any time. */
  constructor(base: ContentAddressableStorage, faults: Map<string, Fault>) {
    this.#base = base;
    this.#faults = faults;
  }

  async findMissing(
    digests: readonly Digest[],
    context: CasContext,
  ): Promise<readonly Digest[]> {
    const missing = new Set(
      (await this.#base.findMissing(digests, context)).map(({ key }) => key),
    );
    return digests.filter(
      ({ key }) => missing.has(key) || isAbsent(this.#faults.get(key)),
    );
  }

  async read(digest: Digest, context: CasContext): Promise<Buffer> {
    return this.#wrongBytes(digest) ?? this.#base.read(digest, context);
  }

  async *open(digest: Digest, context: CasContext): AsyncGenerator<Uint8Array> {
    const wrong = this.#wrongBytes(digest);
    if (wrong === undefined) yield* this.#base.open(digest, context);
    else yield wrong;
  }

  async write(data: Uint8Array, context: CasContext): Promise<Digest> {
    const digest = Digest.of(data);
    this.#failByStatus(digest);
    await this.#base.write(data, context);
    this.#find(digest);
    return digest;
  }

  async writeStream(
    digest: Digest,
    openSource: () => AsyncIterable<Uint8Array>,
    context: CasContext,
  ): Promise<void> {
    this.#failByStatus(digest);
    await this.#base.writeStream(digest, openSource, context);
    this.#find(digest);
  }

  #find({ key }: Digest): void {
    if (this.#faults.get(key)?.type === "lost") this.#faults.delete(key);
  }

  #wrongBytes(digest: Digest): Buffer | undefined {
    this.#failByStatus(digest);
    const fault = this.#faults.get(digest.key);
    if (isAbsent(fault)) throw blobNotFound(digest);
    return fault?.type === "bytes" ? fault.data : undefined;
  }

  #failByStatus(digest: Digest): void {
    const fault = this.#faults.get(digest.key);
    if (fault?.type !== "status" || fault.times === 0) return;
    if (fault.times !== undefined) fault.times--;
    throw new StatusError(fault.code, `Fault for blob "${digest}"`);
  }
}

function isAbsent(fault: Fault | undefined): boolean {
  return fault?.type === "missing" || fault?.type === "lost";
}
