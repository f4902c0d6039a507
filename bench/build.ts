// A real Bazel building many tiny genrules through `berth up`, every action in
// an image, against Bazel's own sandbox.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type BenchRow, compare, median } from "./report.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Size of the build, and how many actions Bazel keeps in flight. */
const genrules = 300;
const jobs = 16;

/** Builds of each kind; they take turns. */
const rounds = 5;

/** Measures the build; needs root, Bazel and docker-registry. */
export async function benchBuild(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  const stops: (() => void)[] = [];
  try {
    makeWorkspace(join(folder, "workspace"));
    const image = await serveImage(folder, stops);
    const engine = await startBerth(folder, stops);
    const bazel = createBazel(folder, stops);
    const strategies = {
      berth: [
        `--remote_executor=grpc://${engine}`,
        `--remote_default_exec_properties=container-image=${image}`,
        "--noremote_accept_cached",
        "--spawn_strategy=remote",
        "--genrule_strategy=remote",
      ],
      sandboxed: [
        "--spawn_strategy=sandboxed",
        "--genrule_strategy=sandboxed",
        "--nosandbox_debug",
      ],
    };
    const times: Record<keyof typeof strategies, number[]> = {
      berth: [],
      sandboxed: [],
    };
    for (let round = -1; round < rounds; round++) {
      for (const name of ["berth", "sandboxed"] as const) {
        const seconds = bazel.build(strategies[name]);
        if (round >= 0) times[name].push(seconds); // the first one warms up
      }
    }
    return [
      compare(
        `${genrules} genrules in an image, ${jobs} jobs / Bazel's sandbox (goal ≤ 1.5)`,
        "s",
        { ours: median(times.berth), peer: median(times.sandboxed) },
      ),
    ];
  } finally {
    for (const stop of stops.reverse()) stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeWorkspace(folder: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, "WORKSPACE"), "");
  const rules = Array.from(
    { length: genrules },
    (_, i) =>
      `genrule(name = "g${i}", outs = ["g${i}.txt"], cmd = "echo ${i} > $@")`,
  );
  writeFileSync(join(folder, "BUILD"), `${rules.join("\n")}\n`);
}

function createBazel(folder: string, stops: (() => void)[]) {
  const startup = [`--output_user_root=${folder}/bazel`, "--max_idle_secs=60"];
  const offline = execFileSync(
    "bash",
    [join(root, "examples/bazel/offline/flags.sh")],
    { encoding: "utf8" },
  )
    .trim()
    .split("\n");
  const run = (args: readonly string[]) => {
    const { status, stderr } = spawnSync("bazel", [...startup, ...args], {
      cwd: join(folder, "workspace"),
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    if (status !== 0) throw new Error(`bazel ${args[0]} failed: ${stderr}`);
  };
  stops.push(() => run(["shutdown"]));
  return {
    build: (flags: readonly string[]) => {
      run(["clean"]);
      const start = process.hrtime.bigint();
      run([
        "build",
        "//...",
        `--jobs=${jobs}`,
        "--noshow_progress",
        ...offline,
        ...flags,
      ]);
      return Number(process.hrtime.bigint() - start) / 1e9;
    },
  };
}

async function serveImage(
  folder: string,
  stops: (() => void)[],
): Promise<string> {
  const layout = execFileSync(join(root, "scripts/demo-image.sh"), {
    encoding: "utf8",
  }).trim();
  const address = `127.0.0.1:${await freePort()}`;
  const configuration = join(folder, "registry.json");
  writeFileSync(
    configuration,
    JSON.stringify({
      version: "0.1",
      log: { level: "error" },
      http: { addr: address },
      storage: { filesystem: { rootdirectory: join(folder, "registry") } },
    }),
  );
  const registry = spawn("docker-registry", ["serve", configuration], {
    stdio: "ignore",
  });
  stops.push(() => registry.kill());
  const name = `docker://${address}/bench:latest`;
  execFileSync("skopeo", [
    ...["copy", "--quiet", "--retry-times=5", "--dest-tls-verify=false"],
    ...[`oci:${layout}:latest`, name],
  ]);
  const digest = execFileSync(
    "skopeo",
    ["inspect", "--tls-verify=false", "--format={{.Digest}}", name],
    { encoding: "utf8" },
  ).trim();
  return `docker://${address}/bench@${digest}`;
}

/** Starts `berth up`, and gives the engine's address once it serves. */
async function startBerth(
  folder: string,
  stops: (() => void)[],
): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    join(root, "bin/berth"),
    [
      ...["up", "--state", join(folder, "state"), "--listen", address],
      ...["--jobs-listen", "off"],
    ],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  stops.push(() => child.kill());
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("berth is up")) return address;
  }
  throw new Error("berth up ended before it was up");
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" ? (address?.port ?? 0) : 0),
      );
    });
  });
}
