// A cold image root: ours, verified and durable, against what else makes a
// root of an image in a registry, in pairs of the same run.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDockerRegistry } from "../test/fixtures/docker-registry.js";
import {
  acquireRoot,
  startRootFetcher,
} from "../test/fixtures/root-fetcher-process.js";
import { makeColdRootImage, pushBenchImage } from "./cold-root-image.js";
import { type BenchRow, compare, formatTable, median } from "./report.js";

/** Enough for a median on a machine that does other things as well. */
const rounds = 5;

/**
 * Measures the cold root. Everything is made anew in each round on the disk of
 * the home directory; the peers are not asked to be durable. Nothing is
 * removed before the end: for a minute ext4 looks at every inode that was
 * freed whenever it makes one, which would be measured instead.
 */
export async function measureColdRoot(): Promise<BenchRow[]> {
  const image = await makeColdRootImage();
  const registry = await startDockerRegistry();
  const parent = mkdtempSync(join(homedir(), ".cache/berth/bench-"));
  const inFolder = async <T>(measure: (folder: string) => T | Promise<T>) => {
    // What was written before is not this round's.
    execFileSync("sync", ["--file-system", parent]);
    return await measure(mkdtempSync(join(parent, "round-")));
  };
  try {
    const reference = await pushBenchImage(image, registry.host);
    const ours: Measured[] = [];
    const umoci: number[] = [];
    const podman: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await inFolder((folder) => fetchRoot(folder, reference)));
      umoci.push(await inFolder((folder) => runUmoci(folder, reference)));
      podman.push(await inFolder((folder) => runPodman(folder, reference)));
    }
    const milliseconds = median(ours.map(({ ms }) => ms));
    const of = (name: string, peer: readonly number[]) =>
      compare(`cold root (400 MB, 10,000 files) against ${name}`, "ms", {
        ours: milliseconds,
        peer: median(peer),
      });
    return [
      of("skopeo copy + umoci unpack", umoci),
      of("podman pull", podman),
      {
        name: "cold root, peak memory of the root fetcher (VmHWM)",
        ours: median(ours.map(({ peakMiB }) => peakMiB)),
        unit: "MiB",
      },
    ];
  } finally {
    await registry.stop();
    rmSync(parent, { recursive: true });
  }
}

/** A root that was made. */
export interface Measured {
  readonly ms: number;
  readonly peakMiB: number;
}

/** From ACQUIRE to OK, of a root fetcher that has just been started. */
export async function fetchRoot(
  folder: string,
  reference: string,
  /** Where "cas://…" is found. */
  casAddress?: string,
): Promise<Measured> {
  const [host = ""] = reference.split("/");
  const fetcher = await startRootFetcher(
    casAddress === undefined
      ? { folder, hosts: [host] }
      : { folder, configuration: { cas: casOf(casAddress) } },
  );
  try {
    const start = performance.now();
    const { answer, client } = await acquireRoot(fetcher.socket, reference);
    const ms = performance.now() - start;
    client.close();
    if (!answer?.startsWith("OK ")) throw new Error(`It answers ${answer}`);
    const status = readFileSync(`/proc/${fetcher.pid()}/status`, "utf8");
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return { ms, peakMiB: Number(peak) / 1024 };
  } finally {
    await fetcher.end("SIGTERM");
  }
}

function casOf(address: string) {
  return { address, instanceName: "" };
}

function runUmoci(folder: string, reference: string): number {
  const layout = join(folder, "layout");
  return timed([
    [
      ...["skopeo", "copy", "--quiet", "--src-tls-verify=false"],
      ...[`docker://${reference}`, `oci:${layout}:t`],
    ],
    ["umoci", "unpack", "--image", `${layout}:t`, join(folder, "bundle")],
  ]);
}

function runPodman(folder: string, reference: string): number {
  const own = [
    "--root",
    join(folder, "root"),
    "--runroot",
    join(folder, "run"),
  ];
  return timed([
    [
      ...["podman", ...own, "--storage-driver=overlay"],
      ...["pull", "--quiet", "--tls-verify=false", reference],
    ],
  ]);
}

function timed(commands: readonly (readonly string[])[]): number {
  const start = performance.now();
  for (const [program = "", ...args] of commands) {
    execFileSync(program, args, { stdio: "ignore" });
  }
  return performance.now() - start;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${formatTable(await measureColdRoot())}\n`);
}
