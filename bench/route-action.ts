// RouteAction by a router on one core, over a CAS in another process: every
// action different, its Command uploaded before. How many it routes when 100
// are in flight, and how long one takes when 3,000 come every second.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ActionRouterService } from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { findFreePort } from "../test/fixtures/child-server.js";
import { startDockerRegistry } from "../test/fixtures/docker-registry.js";
import { tarArchive, tarDirectory } from "../test/fixtures/tar-archive.js";
import { buildTestImage, pushTestImage } from "../test/fixtures/test-image.js";
import {
  createRawGrpcClient,
  type RawGrpcClient,
} from "./http2-grpc-client.js";
import { type BenchRow, compare } from "./report.js";
import { uploadActions } from "./route-action-requests.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Actions per measurement, and how many of them are in flight. */
const actions = 20_000;
const inFlight = 100;

/**
 * The router has a core of its own, and "on one core" is that one; its CAS
 * and the load generator share the others, and must not be what is late.
 */
const routerCore = "1";

/** Actions a second, per second of CPU, and 99th percentile in ms. */
interface Goals {
  readonly rate: number;
  readonly perCpuSecond: number;
  readonly p99: number;
}

/**
 * A steady pace is kept several times, and the median is told: one moment in
 * which a shared machine gives us no time delays every hundredth action.
 */
const pacedRounds = 5;
const pacedActions = 8_000;

/** How the image reaches the worker, and what is wanted of each. */
const modes = {
  bind_mount: { rate: 3_000, perCpuSecond: 5_000, p99: 20 },
  inline: { rate: 2_500, perCpuSecond: 4_000, p99: 25 },
} as const satisfies Record<string, Goals>;

/** Steady rates, actions a second: the goal's, and one with room to spare. */
const pacesOf = ({ rate }: Goals) => [rate / 2, rate] as const;

/** What the root directory of a Linux distribution holds. */
const topDirectories =
  "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var";

/** Measures the router; needs docker-registry, taskset and two cores. */
export async function benchRouteAction(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [mode, goals] of Object.entries(modes)) {
    rows.push(...(await benchMode(mode, goals)));
  }
  return rows;
}

async function benchMode(mode: string, goals: Goals): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  const children: ChildProcess[] = [];
  const registry = await startDockerRegistry();
  try {
    pinThisProcess(otherCores());
    const directories = topDirectories.split(" ").map((d) => tarDirectory(d));
    const image = buildTestImage({ layers: [tarArchive(...directories)] });
    await pushTestImage(registry.host, "tool", { image });
    const reference = `${registry.host}/tool@${image.digest}`;
    const cas = await startCas(children);
    const router = await startRouter({
      ...{ folder, cas: cas.address, children, mode },
      registry: registry.host,
    });
    const client = createRawGrpcClient(
      router.address,
      ActionRouterService.routeAction.path,
    );
    let from = 0;
    const load = async (
      asked: string | undefined,
      count = actions,
    ): Promise<Load> => {
      const requests = await uploadActions(cas.address, {
        ...{ reference: asked, from, count },
      });
      from += count; // never the same action twice
      return { client, requests, router: router.pid, cas: cas.pid };
    };
    await measureFull(await load(reference)); // warms up
    const full = await measureFull(await load(reference));
    const paced: Measurement[] = [];
    for (const rate of pacesOf(goals)) {
      const rounds: Measurement[] = [];
      for (let round = 0; round < pacedRounds; round++) {
        rounds.push(
          await measurePaced(await load(reference, pacedActions), rate),
        );
      }
      paced.push(medianRound(rounds));
    }
    const passed = await measureFull(await load(undefined));
    client.close();
    return rowsOf(mode, goals, { full, paced, passed });
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await registry.stop();
    rmSync(folder, { recursive: true, force: true });
    pinThisProcess(`0-${availableParallelism() - 1}`);
  }
}

function otherCores(): string {
  return Array.from({ length: availableParallelism() }, (_, core) => `${core}`)
    .filter((core) => core !== routerCore)
    .join(",");
}

/** With all its threads, and what it starts from now on. */
function pinThisProcess(cores: string): void {
  execFileSync("taskset", ["-a", "-cp", cores, String(process.pid)]);
}

interface Measurement {
  readonly perSecond: number;
  /** What the router would do if its clients and CAS never let it wait. */
  readonly perCpuSecond: number;
  /** Per cent of one core, by process. */
  readonly shares: { router: number; cas: number; load: number };
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The round whose 99th percentile is in the middle. */
function medianRound(rounds: readonly Measurement[]): Measurement {
  const sorted = rounds.toSorted((a, b) => a.p99Ms - b.p99Ms);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new RangeError("No round was measured");
  return middle;
}

function rowsOf(
  mode: string,
  goals: Goals,
  measured: {
    full: Measurement;
    paced: readonly Measurement[];
    passed: Measurement;
  },
): BenchRow[] {
  const { full, passed } = measured;
  const kind = `RouteAction, ${mode}, ${inFlight} different actions in flight`;
  return [
    compare(
      `${kind} (goal ≥ ${goals.rate}) / actions that need no rewrite`,
      "1/s",
      { ours: full.perSecond, peer: passed.perSecond },
    ),
    compare(
      `${kind}: per second of the router's CPU (goal ≥ ${goals.perCpuSecond})`,
      "1/s",
      { ours: full.perCpuSecond, peer: passed.perCpuSecond },
    ),
    ...shareRows(kind, full),
    ...measured.paced.flatMap((paced, at) => {
      const pace = `RouteAction, ${mode}, ${pacesOf(goals)[at]} different actions a second`;
      return [
        { name: `${pace}: p50`, unit: "ms", ours: paced.p50Ms },
        {
          name: `${pace}: p99 (goal < ${goals.p99})`,
          unit: "ms",
          ours: paced.p99Ms,
        },
        ...shareRows(pace, paced),
      ];
    }),
  ];
}

/** Whether one of the processes had no more to give. */
function shareRows(name: string, { shares }: Measurement): BenchRow[] {
  return [
    ["router", shares.router] as const,
    ["CAS", shares.cas] as const,
    ["load generator", shares.load] as const,
  ].map(([process, ours]) => ({
    name: `${name}: share of one core, ${process}`,
    unit: "%",
    ours,
  }));
}

async function startCas(
  children: ChildProcess[],
): Promise<{ address: string; pid: number }> {
  const script = join(root, "dist/bench/cas-server.js");
  const child = spawn(process.execPath, [script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [line] = await once(createInterface(child.stdout), "line");
  return { address: String(line), pid: pidOf(child) };
}

async function startRouter(parts: {
  folder: string;
  cas: string;
  registry: string;
  mode: string;
  children: ChildProcess[];
}): Promise<{ address: string; pid: number }> {
  const path = join(parts.folder, "router.json");
  const address = `127.0.0.1:${await findFreePort()}`;
  const diagnostics = `127.0.0.1:${await findFreePort()}`;
  const instance = {
    prefix: "",
    mode: parts.mode,
    cas: { address: parts.cas },
    helper: ["/berth/berth-exec"],
    images: [`${parts.registry}/*`],
  };
  const configuration = {
    ...{ listen: address, diagnostics, instances: [instance] },
    // A router that falls behind shows it in its times, not by refusing.
    limits: { concurrentRoutes: 10 * actions },
  };
  writeFileSync(path, JSON.stringify(configuration));
  const child = spawn(
    "taskset",
    [
      ...["-c", routerCore, process.execPath],
      ...[join(root, "dist/programs/router.js"), `--config=${path}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  parts.children.push(child);
  await waitUntilReady(`http://${diagnostics}/readyz`);
  return { address, pid: pidOf(child) };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("A process did not start");
  return child.pid;
}

async function waitUntilReady(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(url).catch(() => undefined); // not up yet
    if (answer?.status === 200) return;
    await sleep(50);
  }
  throw new Error(`${url} does not get ready`);
}

interface Load {
  readonly client: RawGrpcClient;
  /** Encoded. */
  readonly requests: readonly Buffer[];
  /** Process ids. */
  readonly router: number;
  readonly cas: number;
}

/** Keeps the same number of actions in flight all the time. */
async function measureFull(load: Load): Promise<Measurement> {
  let next = 0;
  return measure(load, async (send) => {
    const work = async () => {
      for (let at = next++; at < load.requests.length; at = next++) {
        await send(at, performance.now());
      }
    };
    await Promise.all(Array.from({ length: inFlight }, work));
  });
}

/**
 * Sends at a steady pace, whatever becomes of those before. Times count from
 * when an action was due, so that a stall is seen in all that it delayed.
 */
async function measurePaced(load: Load, rate: number): Promise<Measurement> {
  return measure(load, async (send) => {
    const start = performance.now();
    const sent: Promise<void>[] = [];
    while (sent.length < load.requests.length) {
      const elapsed = performance.now() - start;
      const due = Math.min(
        load.requests.length,
        Math.floor((elapsed * rate) / 1000),
      );
      for (let at = sent.length; at < due; at++) {
        sent.push(send(at, start + (at * 1000) / rate));
      }
      await sleep(1);
    }
    await Promise.all(sent);
  });
}

async function measure(
  { client, requests, router, cas }: Load,
  sendAll: (send: (at: number, due: number) => Promise<void>) => Promise<void>,
): Promise<Measurement> {
  const times: number[] = [];
  const cpu = () => [router, cas, process.pid].map(cpuSecondsOf);
  const before = cpu();
  const start = performance.now();
  await sendAll(async (at, due) => {
    const request = requests[at];
    if (request === undefined) throw new RangeError(`No request ${at}`);
    await client.call(request);
    times.push(performance.now() - due);
  });
  const seconds = (performance.now() - start) / 1000;
  const used = cpu().map((after, at) => after - (before[at] ?? 0));
  const [ofRouter = 0, ofCas = 0, ofLoad = 0] = used;
  const share = (cpuSeconds: number) => (100 * cpuSeconds) / seconds;
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.floor(times.length * q)] ?? 0;
  return {
    perSecond: requests.length / seconds,
    perCpuSecond: requests.length / ofRouter,
    shares: {
      router: share(ofRouter),
      cas: share(ofCas),
      load: share(ofLoad),
    },
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

/** User and system time of a process and its threads (proc_pid_stat(5)). */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticksPerSecond = 100; // USER_HZ, the same on every Linux
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { formatTable } = await import("./report.js");
  process.stdout.write(`${formatTable(await benchRouteAction())}\n`);
}
