// A cold import into CAS on disk, hashing and uploading, against what else
// makes files of an image in a registry; then what the imported tree saves: the
// next image, a composition, a root. Pairs are of the same run.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDockerRegistry } from "../test/fixtures/docker-registry.js";
import { fetchRoot, type Measured } from "./cold-root.js";
import {
  makeColdRootImage,
  makeSecondImage,
  pushBenchImage,
} from "./cold-root-image.js";
import { timeComposition } from "./compose-images.js";
import { startBenchCas, type TimedImport, timeImports } from "./import-run.js";
import { type BenchRow, compare, formatTable, median } from "./report.js";

/** Enough for a median on a machine that does other things as well. */
const rounds = 3;

/** What one round has measured. */
interface Round {
  readonly first: TimedImport;
  readonly second: TimedImport;
  readonly umociMs: number;
  readonly compositionMs: number;
  readonly fromCas: Measured;
  readonly fromRegistry: Measured;
}

/** Measures imports; all is made anew in each round, as for the cold root. */
export async function benchImport(): Promise<BenchRow[]> {
  const images = [await makeColdRootImage(), await makeSecondImage()];
  const registry = await startDockerRegistry();
  const parent = mkdtempSync(join(homedir(), ".cache/berth/bench-"));
  try {
    const references: string[] = [];
    for (const image of images) {
      references.push(await pushBenchImage(image, registry.host));
    }
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      measured.push(await runRound(parent, references));
    }
    return rowsOf(measured);
  } finally {
    await registry.stop();
    rmSync(parent, { recursive: true });
  }
}

async function runRound(
  parent: string,
  references: readonly string[],
): Promise<Round> {
  const folder = () => {
    // What was written before is not this measurement's.
    execFileSync("sync", ["--file-system", parent]);
    return mkdtempSync(join(parent, "round-"));
  };
  const [reference = ""] = references;
  const cas = await startBenchCas(parent);
  try {
    const imports = await timeImports(folder(), cas.address, references);
    const [first, second] = imports;
    if (first === undefined || second === undefined) throw new RangeError();
    const tree = `cas://${first.rootDigest}`;
    return {
      ...{ first, second },
      umociMs: timeUmoci(folder(), reference),
      compositionMs: await timeComposition(cas.address, first.rootDigest),
      fromCas: await fetchRoot(folder(), tree, cas.address),
      fromRegistry: await fetchRoot(folder(), reference),
    };
  } finally {
    await cas.stop();
  }
}

function rowsOf(measured: readonly Round[]): BenchRow[] {
  const of = (figure: (round: Round) => number) => median(measured.map(figure));
  const second = "import of a second image that shares 10,000 of 10,950 files";
  return [
    compare(
      "import into CAS (400 MB, 10,000 files) against skopeo copy + umoci unpack (goal ≤ 0.5)",
      "ms",
      { ours: of(({ first }) => first.ms), peer: of(({ umociMs }) => umociMs) },
    ),
    compare(`${second}, against the first (goal ≤ 0.2)`, "ms", {
      ours: of((round) => round.second.ms),
      peer: of(({ first }) => first.ms),
    }),
    compare(`${second}, bytes stored, against the first (goal ≤ 0.1)`, "MB", {
      ours: of((round) => round.second.stored.bytes / 1e6),
      peer: of(({ first }) => first.stored.bytes / 1e6),
    }),
    {
      name: "composition of that image and 1,000 files in 50 of its folders (goal < 50)",
      ours: of(({ compositionMs }) => compositionMs),
      unit: "ms",
    },
    compare("cold root from CAS against one from the registry", "ms", {
      ours: of(({ fromCas }) => fromCas.ms),
      peer: of(({ fromRegistry }) => fromRegistry.ms),
    }),
    compare("the same, peak memory of the root fetcher (VmHWM)", "MiB", {
      ours: of(({ fromCas }) => fromCas.peakMiB),
      peer: of(({ fromRegistry }) => fromRegistry.peakMiB),
    }),
  ];
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
