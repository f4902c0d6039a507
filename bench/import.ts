// A cold import into CAS on disk, hashing and uploading, against what else
// makes files of an image in a registry, in pairs of the same run.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseInstanceName } from "../lib/digest/index.js";
import { parseImageReference, parsePlatform } from "../lib/image/index.js";
import {
  createInMemoryLayerRecordCache,
  ImageImporter,
} from "../lib/image-import/index.js";
import {
  createConfiguredImageSource,
  createSourceImageResolver,
  imageLayersOf,
} from "../lib/registry/index.js";
import { startDockerRegistry } from "../test/fixtures/docker-registry.js";
import { makeColdRootImage, pushBenchImage } from "./cold-root-image.js";
import { type BenchRow, compare, formatTable, median } from "./report.js";

/** Enough for a median on a machine that does other things as well. */
const rounds = 3;

const program = fileURLToPath(new URL("./import-cas.js", import.meta.url));

/** Measures imports; all is made anew in each round, as for the cold root. */
export async function benchImport(): Promise<BenchRow[]> {
  const image = await makeColdRootImage();
  const registry = await startDockerRegistry();
  const parent = mkdtempSync(join(homedir(), ".cache/berth/bench-"));
  const folder = () => {
    // What was written before is not this round's.
    execFileSync("sync", ["--file-system", parent]);
    return mkdtempSync(join(parent, "round-"));
  };
  try {
    const reference = await pushBenchImage(image, registry.host);
    const ours: number[] = [];
    const umoci: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await timeImport(folder(), reference));
      umoci.push(timeUmoci(folder(), reference));
    }
    return [
      compare(
        "import into CAS (400 MB, 10,000 files) against skopeo copy + umoci unpack (goal ≤ 0.5)",
        "ms",
        { ours: median(ours), peer: median(umoci) },
      ),
    ];
  } finally {
    await registry.stop();
    rmSync(parent, { recursive: true });
  }
}

/** From the reference to the tree's digest, with a CAS that is empty. */
async function timeImport(folder: string, name: string): Promise<number> {
  const cas = spawn(process.execPath, [program, join(folder, "cas")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(cas, "exit");
  const [address = ""] = await once(
    createInterface({ input: cas.stdout }),
    "line",
  );
  const importer = new ImageImporter({
    cas: { address },
    spoolDirectory: folder,
    maximumDirectoryBytes: 2 ** 21,
    workers: 2,
    records: createInMemoryLayerRecordCache(2 ** 26),
  });
  const [host = ""] = name.split("/");
  const { source, close } = createConfiguredImageSource({
    registries: { [host]: { realmHosts: [], mirrors: [] } },
  });
  try {
    const start = performance.now();
    const image = await createSourceImageResolver(source).resolve(
      parseImageReference(name),
      parsePlatform("linux/amd64"),
    );
    await importer.import(
      {
        reference: String(image.reference),
        layers: imageLayersOf(image, source),
      },
      {
        instanceName: parseInstanceName(""),
        signal: new AbortController().signal,
      },
    );
    return performance.now() - start;
  } finally {
    await importer.stop();
    await close();
    cas.kill("SIGTERM");
    await ended;
  }
}

function timeUmoci(folder: string, reference: string): number {
  const layout = join(folder, "layout");
  const start = performance.now();
  execFileSync("skopeo", [
    ...["copy", "--quiet", "--src-tls-verify=false"],
    ...[`docker://${reference}`, `oci:${layout}:t`],
  ]);
  const bundle = join(folder, "bundle");
  const unpack = ["unpack", "--image", `${layout}:t`, bundle];
  execFileSync("umoci", unpack, { stdio: "ignore" });
  return performance.now() - start;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${formatTable(await benchImport())}\n`);
}
