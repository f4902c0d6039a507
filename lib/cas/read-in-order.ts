import type { Digest } from "../digest/index.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "./content-addressable-storage.js";

/**
 * Blobs up to this size are read ahead, whole; larger ones are streamed when
 * it is their turn.
 */
const largestReadAheadBytes = 2 ** 22;

/** Held at most, read but not yet given out. */
const maximumAheadBytes = 2 ** 24;

/** Enough to fill a few batch calls with blobs of usual sizes. */
const maximumAhead = 1_000;

/** A blob whose turn is to come. */
interface Upcoming {
  readonly digest: Digest;
  /** Absent where it is to be streamed. */
  readonly data: Promise<Buffer> | undefined;
}

/**
 * The bytes of many blobs, one after the other, as they were asked for; small
 * ones are read ahead, many in one call. The last bytes of a blob come only
 * when all of it was verified, so whoever counts the sizes knows where a
 * verified blob ends. Throws, at the place of the blob, what the store throws.
 */
export async function* readInOrder(
  cas: ContentAddressableStorage,
  digests: Iterable<Digest>,
  context: CasContext,
): AsyncGenerator<Uint8Array, void, void> {
  const ended = new AbortController();
  const { signal } = context;
  const own: CasContext = {
    ...context,
    signal:
      signal === undefined
        ? ended.signal
        : AbortSignal.any([signal, ended.signal]),
  };
  const rest = digests[Symbol.iterator]();
  const ahead: Upcoming[] = [];
  let aheadBytes = 0;
  try {
    for (;;) {
      while (ahead.length < maximumAhead && aheadBytes < maximumAheadBytes) {
        const { done, value } = rest.next();
        if (done === true) break;
        const upcoming = begin(cas, value, own);
        if (upcoming.data !== undefined) aheadBytes += value.sizeBytes;
        ahead.push(upcoming);
      }
      const next = ahead.shift();
      if (next === undefined) return;
      const { digest, data } = next;
      if (data === undefined) yield* verifiedBeforeEnd(cas.open(digest, own));
      else {
        yield await data;
        aheadBytes -= digest.sizeBytes;
      }
    }
  } finally {
    ended.abort(); // what was read ahead for nothing
  }
}

function begin(
  cas: ContentAddressableStorage,
  digest: Digest,
  context: CasContext,
): Upcoming {
  if (digest.sizeBytes > largestReadAheadBytes) {
    return { digest, data: undefined };
  }
  const data = cas.read(digest, context);
  data.catch(() => {}); // told when it is its turn
  return { digest, data };
}

/** A verified stream ends with its error; its last piece must come after. */
async function* verifiedBeforeEnd(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let last: Uint8Array | undefined;
  for await (const piece of source) {
    if (last !== undefined) yield last;
    last = piece;
  }
  if (last !== undefined) yield last;
}
