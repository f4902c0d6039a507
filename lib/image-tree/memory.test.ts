// What a large image costs a process: read, kept, decoded and replayed.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const run = promisify(execFile);
const module = (path: string) =>
  JSON.stringify(new URL(path, import.meta.url).href);

// 200,000 entries in 20,000 directories. Made on the fly: an archive of that
// size in memory would be most of what is measured.
const program = `
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { decodeLayer, encodeLayer, readLayer } from ${module("../layer/index.js")};
import { buildImageTree } from ${module("./index.js")};
import { tarDirectory, tarFile } from ${module("../../test/fixtures/tar-archive.js")};

function* archive() {
  for (let d = 0; d < 20_000; d++) {
    const path = "usr/share/doc/package-" + d + "/";
    yield tarDirectory(path);
    for (let f = 0; f < 9; f++) yield tarFile(path + "file-number-" + f + ".gz", "x");
  }
  yield Buffer.alloc(1024);
}
const hash = createHash("sha256");
let sizeBytes = 0;
for (const part of archive()) {
  hash.update(part);
  sizeBytes += part.length;
}
const digest = "sha256:" + hash.digest("hex");
const sink = { begin() {}, write() {}, end() {} };
const descriptor = { digest, sizeBytes, compression: "none" };
async function* source() { yield* archive(); }
// In functions of their own, so that nothing outlives its use.
async function processed() {
  const options = { descriptor, diffId: digest, sink };
  return encodeLayer(await readLayer(source(), options));
}
const encoded = await processed();
function* layers() { yield decodeLayer(encoded, digest); }
const tree = buildImageTree(layers());
console.log(JSON.stringify({
  files: tree.totals.files,
  encoded: encoded.length,
  // Of this program alone: getrusage's maximum is handed on over exec.
  peakBytes: 1024 * /VmHWM:\\s*(\\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1],
}));
`;

test("an image of 200,000 entries is read and replayed within 256 MiB", async () => {
  const args = ["--input-type=module", "-e", program];
  const { stdout } = await run(process.execPath, args);
  const { files, encoded, peakBytes } = JSON.parse(stdout);
  expect(files).toBe(180_000);
  expect(encoded).toBeLessThan(200_000 * 100);
  expect(peakBytes).toBeLessThan(256 * 2 ** 20);
}, 120_000);
