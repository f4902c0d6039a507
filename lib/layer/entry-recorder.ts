import { createHash, type Hash, hash } from "node:crypto";
import { Code, StatusError } from "../status/index.js";
import type { TarHandler, TarMember } from "../tar/index.js";
import { maximumPathBytes, normaliseEntryPath } from "./entry-path.js";
import type { FileSink } from "./file-sink.js";
import type { DroppedCounts, LayerEntry } from "./layer.js";
import type { LayerLimits } from "./layer-limits.js";
import { parseWhiteout } from "./whiteout.js";

const emptySha256 = createHash("sha256").digest("hex");
const setIdBits = 0o6000;

/**
 * Turns the members of an archive into entries of a layer, and passes the
 * files on to the sink, hashed.
 */
export class EntryRecorder implements TarHandler {
  readonly entries: LayerEntry[] = [];
  readonly #dropped = { devices: 0, fifos: 0, xattrs: 0, setIds: 0, aufs: 0 };
  readonly #sink: FileSink;
  readonly #limits: LayerLimits;
  #members = 0;
  #nameBytes = 0;
  #contentBytes = 0;
  /** The file that is being read; undefined when it is not kept. */
  #file: { path: string; member: TarMember } | undefined;
  #hash: Hash | undefined;
  #sha256 = emptySha256;

  constructor(sink: FileSink, limits: LayerLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  get dropped(): DroppedCounts {
    return this.#dropped;
  }

  member(member: TarMember): void | Promise<void> {
    this.#file = undefined;
    this.#check(++this.#members, this.#limits.entries, "entries");
    const path = normaliseEntryPath(member.name, this.#limits.depth);
    this.#nameBytes += path.length + member.linkName.length;
    this.#check(this.#nameBytes, this.#limits.nameBytes, "bytes of names");
    const meaning = parseWhiteout(path);
    switch (meaning.kind) {
      case "whiteout":
      case "opaque":
        this.entries.push({ type: meaning.kind, path: meaning.path });
        return undefined;
      case "aufs":
        this.#dropped.aufs++;
        return undefined;
      case "entry":
        return this.#entry(path, member);
    }
  }

  data(chunk: Buffer): void | Promise<void> {
    const file = this.#file;
    if (file === undefined) return undefined;
    if (chunk.length === file.member.sizeBytes) {
      // Most files lie in one chunk, where this takes half the time.
      this.#sha256 = hash("sha256", chunk, "hex");
    } else {
      this.#hash ??= createHash("sha256");
      this.#hash.update(chunk);
    }
    return this.#sink.write(chunk);
  }

  end(): void | Promise<void> {
    const file = this.#file;
    if (file === undefined) return undefined;
    if (this.#hash !== undefined) {
      this.#sha256 = this.#hash.digest("hex");
      this.#hash = undefined;
    }
    const { path, member } = file;
    this.entries.push({
      type: "file",
      path,
      mode: member.mode & 0o777,
      mtimeSeconds: member.mtimeSeconds,
      sizeBytes: member.sizeBytes,
      sha256: this.#sha256,
    });
    return this.#sink.end(this.#sha256);
  }

  #entry(path: string, member: TarMember): void | Promise<void> {
    if (path === "" && member.type !== "directory") {
      throw invalid(
        `Root must be a directory: current value is a ${member.type}`,
      );
    }
    this.#dropped.xattrs += member.xattrs;
    switch (member.type) {
      case "file":
        return this.#begin(path, member);
      case "directory":
        this.entries.push({
          type: "directory",
          path,
          mode: member.mode & 0o1777,
          mtimeSeconds: member.mtimeSeconds,
        });
        return undefined;
      case "symlink":
        this.entries.push({ type: "symlink", path, target: targetOf(member) });
        return undefined;
      case "hardLink":
        this.entries.push({
          type: "hardLink",
          path,
          target: normaliseEntryPath(targetOf(member), this.#limits.depth),
        });
        return undefined;
      case "device":
      case "fifo":
        this.#dropped[member.type === "fifo" ? "fifos" : "devices"]++;
        this.entries.push({ type: "special", path });
        return undefined;
    }
  }

  #begin(path: string, member: TarMember): void | Promise<void> {
    const { sizeBytes, mtimeSeconds } = member;
    this.#check(sizeBytes, this.#limits.fileBytes, "bytes in one file");
    this.#contentBytes += sizeBytes;
    this.#check(
      this.#contentBytes,
      this.#limits.uncompressedBytes,
      "bytes in its files",
    );
    if ((member.mode & setIdBits) !== 0) this.#dropped.setIds++;
    this.#file = { path, member };
    this.#sha256 = emptySha256;
    const mode = member.mode & 0o777;
    return this.#sink.begin({ sizeBytes, mode, mtimeSeconds });
  }

  #check(value: number, limit: number, what: string): void {
    if (value <= limit) return;
    throw new StatusError(
      Code.ResourceExhausted,
      `Layer must have at most ${limit} ${what}`,
    );
  }
}

function targetOf({ type, linkName }: TarMember): string {
  if (linkName === "" || linkName.length > maximumPathBytes) {
    throw invalid(
      `Target of a ${type} must have 1 to ${maximumPathBytes} bytes: current value has ${linkName.length}`,
    );
  }
  return linkName;
}

function invalid(text: string): StatusError {
  return new StatusError(Code.InvalidArgument, text);
}
