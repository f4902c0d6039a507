import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** Raise when the image changes: it is made once and kept. */
const version = 1;

/** What a layer holds; `seed` also names its folder. */
interface LayerContent {
  readonly seed: number;
  readonly files: number;
  readonly bytes: number;
}

const coldRootLayers: readonly LayerContent[] = [0, 1].map((seed) => ({
  ...{ seed, files: 5_000, bytes: 200_000_000 },
}));

/** As large files as those beneath, and a tenth as many, with the folders. */
const topLayer: LayerContent = { seed: 2, files: 950, bytes: 38_000_000 };
const oci = "application/vnd.oci.image";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image as files: a manifest, and blobs named by their digest. */
export interface BenchImage {
  readonly directory: string;
  readonly manifest: string;
  readonly digest: string;
  readonly blobs: readonly Descriptor[];
}

/**
 * The image of the design's numbers: two layers of together 400 MB and 10,000
 * files, compressing to about 150 MB; the same bytes on every machine. Made in
 * the cache directory unless it is there.
 */
export async function makeColdRootImage(): Promise<BenchImage> {
  return makeImage("cold-root", coldRootLayers);
}

/** The same image, with one more layer on top: of 950 files and 38 MB. */
export async function makeSecondImage(): Promise<BenchImage> {
  return makeImage("cold-root-second", [...coldRootLayers, topLayer]);
}

async function makeImage(
  name: string,
  contents: readonly LayerContent[],
): Promise<BenchImage> {
  const directory = join(homedir(), `.cache/berth/${name}-${version}`);
  const manifestPath = join(directory, "manifest.json");
  if (!existsSync(manifestPath)) await make(directory, contents);
  const manifest = await readFile(manifestPath, "utf8");
  // Written by `make` below.
  const { config, layers } = JSON.parse(manifest) as {
    config: Descriptor;
    layers: Descriptor[];
  };
  const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
  return { directory, manifest, digest, blobs: [config, ...layers] };
}

/** Pushes the image to a registry on loopback; gives its reference. */
export async function pushBenchImage(
  image: BenchImage,
  host: string,
): Promise<string> {
  const repository = "bench/cold-root";
  const base = `http://${host}/v2/${repository}`;
  for (const { digest, size } of image.blobs) {
    const begun = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
    const url = new URL(begun.headers.get("location") ?? "", base);
    url.searchParams.set("digest", digest);
    const file = createReadStream(join(image.directory, digest.slice(7)));
    await put(url, Readable.toWeb(file), { "content-length": String(size) });
  }
  await put(new URL(`${base}/manifests/latest`), image.manifest, {
    "content-type": `${oci}.manifest.v1+json`,
  });
  return `${host}/${repository}@${image.digest}`;
}

async function put(
  url: URL,
  body: ReadableStream | string,
  headers: Record<string, string>,
): Promise<void> {
  // Node's fetch wants to be told that the body is not read back meanwhile.
  const response = await fetch(url, {
    method: "PUT",
    body,
    headers,
    duplex: "half",
  });
  if (response.status !== 201) {
    throw new Error(
      `Push ended with ${response.status}: ${await response.text()}`,
    );
  }
}

async function make(
  directory: string,
  contents: readonly LayerContent[],
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const content of contents) {
    const { diffId, ...layer } = await writeLayer(directory, content);
    layers.push(layer);
    diffIds.push(diffId);
  }
  const config = Buffer.from(
    JSON.stringify({
      os: "linux",
      architecture: "amd64",
      config: {},
      rootfs: { type: "layers", diff_ids: diffIds },
    }),
  );
  const configDigest = createHash("sha256").update(config).digest("hex");
  await writeFile(join(directory, configDigest), config);
  const manifest = {
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: {
      mediaType: `${oci}.config.v1+json`,
      digest: `sha256:${configDigest}`,
      size: config.byteLength,
    },
    layers,
  };
  await writeFile(join(directory, "manifest.json"), JSON.stringify(manifest));
}

async function writeLayer(
  directory: string,
  content: LayerContent,
): Promise<Descriptor & { diffId: string }> {
  const plain = createHash("sha256");
  const packed = createHash("sha256");
  const path = join(directory, `layer-${content.seed}`);
  let size = 0;
  await pipeline(
    async function* () {
      for (const chunk of tarOfLayer(content)) {
        plain.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level: 6, chunkSize: 1 << 20 }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        packed.update(chunk);
        size += chunk.byteLength;
        yield chunk;
      }
    },
    createWriteStream(path),
  );
  const digest = packed.digest("hex");
  await rename(path, join(directory, digest));
  return {
    mediaType: `${oci}.layer.v1.tar+gzip`,
    digest: `sha256:${digest}`,
    size,
    diffId: `sha256:${plain.digest("hex")}`,
  };
}

function* tarOfLayer({ seed, files, bytes }: LayerContent): Generator<Buffer> {
  const random = generator(seed + 1);
  const pool = textPool(random);
  const top = `usr/lib/layer${seed}`;
  for (const path of ["usr", "usr/lib", top]) yield header(`${path}/`, "5", 0);
  let left = bytes;
  for (let file = 0; file < files; file++) {
    const folder = `${top}/package-${Math.floor(file / 12)}`;
    if (file % 12 === 0) {
      yield header(`${folder}/`, "5", 0);
      yield header(`${folder}/current`, "2", 0, "file-0.py");
    }
    const even = left / (files - file);
    const size = Math.floor(even * sizeFactor(random));
    left -= size;
    yield header(`${folder}/file-${file % 12}.py`, "0", size);
    yield content(pool, size, random);
  }
  yield Buffer.alloc(1024);
}

/** Many small files and a few large ones; 1 on average. */
function sizeFactor(random: () => number): number {
  const kind = random() % 100;
  const within = (random() % 1000) / 500;
  if (kind < 70) return 0.2 * within;
  return kind < 95 ? 1.2 * within : 11.2 * within;
}

function content(pool: Buffer, size: number, random: () => number): Buffer {
  const slice = 4096;
  const padded = Buffer.alloc(Math.ceil(size / 512) * 512);
  for (let offset = 0; offset < size; offset += slice) {
    const from = random() % (pool.length - slice);
    pool.copy(padded, offset, from, from + Math.min(slice, size - offset));
  }
  return padded;
}

/** Text that compresses like a distribution's files. */
function textPool(random: () => number): Buffer {
  const words = Array.from({ length: 3000 }, () => {
    const length = 3 + (random() % 9);
    return Array.from({ length }, () =>
      String.fromCharCode(97 + (random() % 26)),
    ).join("");
  });
  let text = "";
  while (text.length < 8 << 20) {
    const frequent = random() % 3 === 0 ? 100 : words.length;
    text += `${words[random() % frequent]}${random() % 9 === 0 ? "\n" : " "}`;
  }
  return Buffer.from(text);
}

/** A xorshift generator of unsigned 32-bit numbers. */
function generator(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function header(name: string, type: string, size: number, link = ""): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, offset: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset);
  block.write(name, 0, 100, "latin1");
  octal(type === "5" ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(1_700_000_000, 136, 12);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(link, 157, 100, "latin1");
  block.write("ustar\x0000", 257);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
