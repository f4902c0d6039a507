import { wrap } from "../status/index.js";
import { ByteCursor } from "./byte-cursor.js";
import { checkGlobalHeader, ExtendedHeaders } from "./extended-headers.js";
import { quoteBytes } from "./quote-bytes.js";
import {
  readOldSparse,
  readPaxSparse,
  type SparseFile,
} from "./sparse-file.js";
import { tarError } from "./tar-error.js";
import {
  blockBytes,
  isZeroBlock,
  parseTarHeader,
  type TarHeader,
} from "./tar-header.js";
import type { TarHandler, TarMember, TarMemberType } from "./tar-member.js";

/**
 * Largest extended header. Names have at most 4 KiB; what else is large in
 * there are extended attributes, of at most 64 KiB each. Go has the same.
 */
const maximumExtendedBytes = 2 ** 20;

/** Holes are handed out in pieces of this one. Never written to. */
const zeros = Buffer.alloc(2 ** 16);

/** A step of the reader: a promise to wait for, or undefined for more bytes. */
type Steps<Result = void> = Generator<Promise<void> | undefined, Result>;

/**
 * Reads an archive strictly: v7, ustar, star, GNU and PAX, sparse files
 * included. It agrees with Go's reader, which container engines use, on where
 * each header and each byte of content is; it rejects more: truncation of
 * anything but padding, and whatever common readers understand differently. After the end
 * marker (two blocks of zeros), or a clean end without one, the rest is
 * ignored.
 *
 * Errors name the entry: those of the archive are InvalidArgument, those of
 * the handler keep their code. After one the reader is of no more use.
 */
export class TarReader {
  readonly #cursor = new ByteCursor();
  readonly #handler: TarHandler;
  readonly #steps: Steps;
  /** The entry that is being read; undefined between entries. */
  #entryName: string | undefined;
  #headerPosition = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
    this.#steps = this.#read();
  }

  /** Reads the next chunk; done with it when the promise is settled. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#cursor.push(chunk);
    await this.#run();
  }

  /** No chunk follows. */
  async end(): Promise<void> {
    this.#cursor.finish();
    await this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const step = this.#steps.next();
        if (step.done || step.value === undefined) return;
        await step.value;
      }
    } catch (error) {
      throw wrap(error, `Failed to read ${this.#place()}`);
    }
  }

  #place(): string {
    return this.#entryName === undefined
      ? `the archive at byte ${this.#headerPosition}`
      : `entry ${quoteBytes(this.#entryName)}`;
  }

  *#read(): Steps {
    let extended = new ExtendedHeaders();
    for (;;) {
      const header = yield* this.#nextHeader();
      if (header === undefined) break;
      const type = String.fromCharCode(header.parsed.type);
      if (type === "g") {
        if (!extended.isEmpty) throw tarError("Global header is misplaced");
        checkGlobalHeader(yield* this.#payload(header.parsed));
      } else if (type === "x" || type === "L" || type === "K") {
        extended.add(type, yield* this.#payload(header.parsed));
      } else {
        yield* this.#member(header, extended);
        if (!extended.isEmpty) extended = new ExtendedHeaders();
      }
    }
    if (!extended.isEmpty) throw tarError("Extended header has no entry");
    // What follows an end marker belongs to the layer's bytes, but not to the
    // archive.
    while (yield* this.#cursor.hasMore()) {
      this.#cursor.offset = this.#cursor.chunk.length;
    }
  }

  *#nextHeader(): Steps<Header | undefined> {
    this.#entryName = undefined;
    this.#headerPosition = this.#cursor.position;
    if (!(yield* this.#cursor.hasMore())) return undefined;
    const block = yield* this.#cursor.take(blockBytes);
    if (!isZeroBlock(block, 0)) {
      return { parsed: parseTarHeader(block, 0), block };
    }
    if (!(yield* this.#cursor.hasMore())) return undefined;
    if (!isZeroBlock(yield* this.#cursor.take(blockBytes), 0)) {
      throw tarError("Block of zeros must be followed by another one");
    }
    return undefined;
  }

  *#payload(header: TarHeader): Steps<Buffer> {
    if (header.sizeBytes > maximumExtendedBytes) {
      throw tarError(
        `Extended header must have at most ${maximumExtendedBytes} bytes: current value is ${header.sizeBytes}`,
      );
    }
    // A copy: to pass over the padding may need the next chunk.
    const payload = Buffer.from(yield* this.#cursor.take(header.sizeBytes));
    yield* this.#cursor.skip(paddingOf(header.sizeBytes));
    return payload;
  }

  *#member(header: Header, extended: ExtendedHeaders): Steps {
    const { parsed, block } = header;
    this.#entryName = parsed.name;
    const whole = extended.isEmpty ? parsed : extended.applyTo(parsed);
    this.#entryName = whole.name;
    const member = memberOf(whole, extended);
    if (member.type === "file") {
      const sparse =
        whole.type === oldSparseType
          ? yield* readOldSparse(this.#cursor, whole, block)
          : yield* readPaxSparse(this.#cursor, whole, extended);
      yield* this.#file(member, sparse);
      return;
    }
    const pending = this.#handler.member(member);
    if (pending !== undefined) yield pending;
  }

  *#file(member: TarMember, sparse: SparseFile | undefined): Steps {
    const { sizeBytes } = sparse ?? member;
    const name = sparse?.name ?? member.name;
    let pending = this.#handler.member({ ...member, name, sizeBytes });
    if (pending !== undefined) yield pending;
    if (sparse === undefined) {
      yield* this.#content(sizeBytes);
    } else {
      yield* this.#sparseContent(sparse);
    }
    // umoci's `insert` ends its archives with the last byte of content. To Go,
    // as to us, that is a clean end: nothing of the file is missing.
    yield* this.#cursor.skipAtMost(paddingOf(sparse?.storedBytes ?? sizeBytes));
    pending = this.#handler.end();
    if (pending !== undefined) yield pending;
  }

  *#content(length: number): Steps {
    for (let rest = length; rest > 0; ) {
      const piece = yield* this.#cursor.some(rest);
      rest -= piece.length;
      const pending = this.#handler.data(piece);
      if (pending !== undefined) yield pending;
    }
  }

  *#sparseContent({ map, sizeBytes }: SparseFile): Steps {
    let position = 0;
    for (let i = 0; i < map.length; i += 2) {
      const [offset = 0, length = 0] = map.slice(i, i + 2);
      yield* this.#hole(offset - position);
      yield* this.#content(length);
      position = offset + length;
    }
    yield* this.#hole(sizeBytes - position);
  }

  *#hole(length: number): Steps {
    for (let rest = length; rest > 0; rest -= zeros.length) {
      const pending = this.#handler.data(zeros.subarray(0, rest));
      if (pending !== undefined) yield pending;
    }
  }
}

interface Header {
  readonly parsed: TarHeader;
  /** Valid until the next bytes are taken. */
  readonly block: Buffer;
}

const oldSparseType = 0x53; // "S"

function memberOf(header: TarHeader, extended: ExtendedHeaders): TarMember {
  const type = typeOf(header);
  const isLink = type === "hardLink" || type === "symlink";
  return {
    type,
    name: header.name,
    linkName: isLink ? header.linkName : "",
    mode: header.mode,
    mtimeSeconds: header.mtimeSeconds,
    // Whatever size the others state, no content follows, as Go has it: to
    // pass over that many bytes would hide entries that engines see.
    sizeBytes: type === "file" ? header.sizeBytes : 0,
    xattrs: extended.countXattrs(),
  };
}

function typeOf({ type, name }: TarHeader): TarMemberType {
  switch (String.fromCharCode(type)) {
    case "\0":
      // Before POSIX a directory was a file with a slash at its end.
      return name.endsWith("/") ? "directory" : "file";
    case "0":
    case "7": // contiguous: an ordinary file to everyone
    case "S":
      return "file";
    case "1":
      return "hardLink";
    case "2":
      return "symlink";
    case "3":
    case "4":
      return "device";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    default:
      throw tarError(
        `Type must be one that we know: current value is 0x${type.toString(16)}`,
      );
  }
}

function paddingOf(length: number): number {
  return (blockBytes - (length % blockBytes)) % blockBytes;
}
