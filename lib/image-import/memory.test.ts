// What importing a large image costs a process, its threads included. CAS is
// in another process, this one, and keeps digests alone.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ContentAddressableStorage, verifyStream } from "../cas/index.js";
import { createCasServices } from "../cas-service/index.js";
import { Digest } from "../digest/index.js";
import { type GrpcServer, serveGrpc } from "../grpc/index.js";

const run = promisify(execFile);
const module = (path: string) =>
  JSON.stringify(new URL(path, import.meta.url).href);

// Archives are made on the fly: in memory they would be most of what is
// measured.
const program = `
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInMemoryLayerRecordCache, ImageImporter } from ${module("./index.js")};
import { tarDirectory, tarHeader, tarFile } from ${module("../../test/fixtures/tar-archive.js")};

const [, , address, kind] = process.argv;

function* manyEntries() {
  for (let d = 0; d < 20_000; d++) {
    const path = "usr/share/doc/package-" + d + "/";
    yield tarDirectory(path);
    for (let f = 0; f < 9; f++) yield tarFile(path + "file-number-" + f + ".gz", "content " + d + " " + f);
  }
  yield Buffer.alloc(1024);
}
function* manyBytes() {
  const piece = Buffer.alloc(2 ** 20, "bytes");
  for (let f = 0; f < 8; f++) {
    yield tarHeader("large-" + f, { size: 128 * piece.length });
    for (let p = 0; p < 128; p++) {
      piece.writeUInt32LE(f * 1000 + p);
      yield Buffer.from(piece);
    }
  }
  yield Buffer.alloc(1024);
}
const archive = kind === "entries" ? manyEntries : manyBytes;
const hash = createHash("sha256");
let sizeBytes = 0;
for (const part of archive()) {
  hash.update(part);
  sizeBytes += part.length;
}
const diffId = "sha256:" + hash.digest("hex");
// As networks give it: in pieces of their own size.
async function* open() {
  let pieces = [];
  let size = 0;
  for (const part of archive()) {
    pieces.push(part);
    size += part.length;
    if (size < 65_536) continue;
    yield Buffer.concat(pieces);
    [pieces, size] = [[], 0];
  }
  yield Buffer.concat(pieces);
}
const layer = { diffId, descriptor: { digest: diffId, sizeBytes, compression: "none" }, open };

// Of this program alone: getrusage's maximum is handed on over exec.
const status = () => readFileSync("/proc/self/status", "utf8");
const bytes = (name) => 1024 * new RegExp(name + ":\\\\s*(\\\\d+) kB").exec(status())[1];
const before = bytes("VmRSS");
const spoolDirectory = mkdtempSync(join(tmpdir(), "berth-spool-"));
const importer = new ImageImporter({
  cas: { address },
  spoolDirectory,
  maximumDirectoryBytes: 2 ** 21,
  workers: 2,
  records: createInMemoryLayerRecordCache(2 ** 26),
});
const { totals, stored } = await importer.import(
  { reference: "image", layers: [layer] },
  { instanceName: "", signal: new AbortController().signal },
);
const grownBytes = bytes("VmHWM") - before;
await importer.stop();
rmSync(spoolDirectory, { recursive: true });
console.log(JSON.stringify({ totals, stored, grownBytes }));
`;

let server: GrpcServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-memory-"));
  server = await serveGrpc({
    listen: "127.0.0.1:0",
    services: createCasServices({ cas: createForgetfulCas(), sink: () => {} }),
    sink: () => {},
  });
});
afterAll(async () => {
  await server.stop(0);
  await rm(folder, { recursive: true });
});

/** Verifies what it is given, and keeps nothing but its digest. */
function createForgetfulCas(): ContentAddressableStorage {
  const held = new Set<string>();
  const refuse = () => {
    throw new RangeError("Nothing is read here");
  };
  return {
    findMissing: async (digests) => digests.filter(({ key }) => !held.has(key)),
    read: refuse,
    open: refuse,
    write: async (data) => {
      const digest = Digest.of(data);
      held.add(digest.key);
      return digest;
    },
    writeStream: async (digest, openSource) => {
      for await (const piece of verifyStream(digest, openSource())) void piece;
      held.add(digest.key);
    },
  };
}

test.each([
  ["entries", { files: 180_000, blobs: 200_004 }],
  ["bytes", { files: 8, blobs: 9 }],
])(
  "an image of many %s is imported within 256 MiB",
  async (kind, expected) => {
    // A file, since threads inherit what Node was told to evaluate.
    const file = join(folder, "program.mjs");
    await writeFile(file, program);
    const args = [file, server.address, kind];
    const { stdout } = await run(process.execPath, args);
    const { totals, stored, grownBytes } = JSON.parse(stdout);
    const { files } = totals;
    expect({ files, blobs: stored.blobs }).toEqual(expected);
    expect(grownBytes).toBeLessThan(256 * 2 ** 20);
  },
  180_000,
);
