// An import into the engine's CAS on disk, which is a process of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseInstanceName } from "../lib/digest/index.js";
import { parseImageReference, parsePlatform } from "../lib/image/index.js";
import {
  createInMemoryLayerRecordCache,
  ImageImporter,
  type ImportedImage,
} from "../lib/image-import/index.js";
import {
  createConfiguredImageSource,
  createSourceImageResolver,
  imageLayersOf,
} from "../lib/registry/index.js";

const program = fileURLToPath(new URL("./cas-server.js", import.meta.url));

/** The instance name of all imports. */
export const benchInstanceName = parseInstanceName("");

/** A CAS in a folder. */
export interface BenchCas {
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts the CAS over a new folder in `parent`. */
export async function startBenchCas(parent: string): Promise<BenchCas> {
  const cas = spawn(
    process.execPath,
    [program, mkdtempSync(`${parent}/cas-`)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const ended = once(cas, "exit");
  const [address = ""] = await once(
    createInterface({ input: cas.stdout }),
    "line",
  );
  return {
    address,
    stop: async () => {
      cas.kill("SIGTERM");
      await ended;
    },
  };
}

/** An image that was imported, and how long it took. */
export interface TimedImport extends ImportedImage {
  readonly ms: number;
}

/**
 * Imports images of one registry one after the other, as a router that has
 * just been started does; from the reference to the tree's digest.
 */
export async function timeImports(
  folder: string,
  address: string,
  names: readonly string[],
): Promise<TimedImport[]> {
  const importer = new ImageImporter({
    cas: { address },
    spoolDirectory: mkdtempSync(join(folder, "spool-")),
    maximumDirectoryBytes: 2 ** 21,
    workers: 2,
    records: createInMemoryLayerRecordCache(2 ** 26),
  });
  const hosts = names.map((name) => name.split("/")[0] ?? "");
  const { source, close } = createConfiguredImageSource({
    registries: Object.fromEntries(
      hosts.map((host) => [host, { realmHosts: [], mirrors: [] }]),
    ),
  });
  const resolver = createSourceImageResolver(source);
  const platform = parsePlatform("linux/amd64");
  const { signal } = new AbortController();
  const options = { instanceName: benchInstanceName, signal };
  const imported: TimedImport[] = [];
  try {
    for (const name of names) {
      const start = performance.now();
      const image = await resolver.resolve(parseImageReference(name), platform);
      const reference = String(image.reference);
      const layers = imageLayersOf(image, source);
      const done = await importer.import({ reference, layers }, options);
      imported.push({ ...done, ms: performance.now() - start });
    }
    return imported;
  } finally {
    await importer.stop();
    await close();
  }
}
