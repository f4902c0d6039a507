// A warm start: berth-exec's whole sequence against bare exec, unshare,
// bubblewrap and runc, each running the same static program.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchRow, compare } from "./report.js";

const crate = fileURLToPath(
  new URL("../../services/chroot-helper", import.meta.url),
);
const target = join(crate, "target/x86_64-unknown-linux-musl/release");

/** Starts of each command; they take turns, so noise hits all alike. */
const rounds = 300;

/** A sandbox uid that nobody else has; the helper's default. */
const sandboxUid = 65_533;

/** Figures of one command, in microseconds. */
interface Timing {
  readonly median: number;
  readonly p99: number;
}

/** Measures warm starts; needs root, bwrap and runc. */
export function benchStart(): BenchRow[] {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  try {
    const { timer, commands } = prepare(folder);
    const timing = time(timer, folder, commands);
    const ms = (name: string) => (timing[name]?.median ?? Number.NaN) / 1000;
    const bare = ms("bare exec");
    const rows: BenchRow[] = [];
    for (const [ours, limit, peers] of [
      ["berth-exec", 1.5, ["unshare", "runc run"]],
      [
        "berth-exec, own network",
        2.4,
        ["unshare, own network", "bwrap --unshare-all"],
      ],
    ] as const) {
      rows.push({
        name: `${ours}: added to bare exec (goal ≤ ${limit} ms)`,
        ours: ms(ours) - bare,
        peer: bare,
        unit: "ms",
      });
      for (const peer of peers) {
        rows.push(
          compare(`${ours} / ${peer}`, "ms", {
            ours: ms(ours),
            peer: ms(peer),
          }),
        );
      }
    }
    rows.push({
      name: "berth-exec: 99th percentile",
      ours: (timing["berth-exec"]?.p99 ?? Number.NaN) / 1000,
      unit: "ms",
    });
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function prepare(folder: string) {
  execFileSync(
    "cargo",
    [
      "build",
      "--quiet",
      "--release",
      "--example",
      "spawn-timer",
      "--target",
      "x86_64-unknown-linux-musl",
    ],
    { cwd: crate, stdio: "inherit" },
  );
  const rootfs = makeStore(folder);
  const action = join(folder, "build/action/root");
  mkdirSync(action, { recursive: true });
  chmodSync(action, 0o777);
  writeFileSync(
    join(folder, "exec.toml"),
    [
      `store = "${folder}/store"`,
      `build_directory = "${folder}/build"`,
      `socket = "${folder}/none.sock"`,
      `sandbox_uid = ${sandboxUid}`,
      `sandbox_gid = ${sandboxUid}`,
    ].join("\n"),
  );
  const helper = [
    join(target, "berth-exec"),
    `--config=${folder}/exec.toml`,
    `--image=bench.test/image@sha256:${imageHex}`,
  ];
  const bwrap = [
    "bwrap",
    "--unshare-all",
    "--bind",
    rootfs,
    "/",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
  ];
  const commands: Record<string, string[]> = {
    "bare exec": [`${rootfs}/bin/true`],
    "berth-exec": [...helper, "--network=host", "--", "/bin/true"],
    "berth-exec, own network": [...helper, "--network=none", "--", "/bin/true"],
    unshare: ["unshare", "-Urmpfui", "/bin/true"],
    "unshare, own network": ["unshare", "-Urmpfnui", "/bin/true"],
    "bwrap --unshare-all": [...bwrap, "/bin/true"],
    "runc run": [
      "runc",
      "run",
      "--bundle",
      makeBundle(folder, rootfs),
      "berth-bench",
    ],
  };
  return { timer: join(target, "examples/spawn-timer"), commands };
}

const imageHex = "b".repeat(64);

/** A root store of one image that holds a static busybox. */
function makeStore(folder: string): string {
  const root = join(folder, "store/roots", imageHex);
  const rootfs = join(root, "rootfs");
  for (const name of ["bin", "etc", "tmp", "usr", "proc", "dev", "sys"]) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  copyFileSync("/usr/bin/busybox", join(rootfs, "bin/busybox"));
  chmodSync(join(rootfs, "bin/busybox"), 0o555);
  for (const applet of ["true", "sh"]) {
    linkSync(join(rootfs, "bin/busybox"), join(rootfs, "bin", applet));
  }
  writeFileSync(join(root, "lock"), "");
  writeFileSync(join(root, "image.json"), "{}");
  execFileSync("chown", [
    "-R",
    `${sandboxUid}:${sandboxUid}`,
    join(folder, "store"),
  ]);
  chmodSync(folder, 0o755);
  return rootfs;
}

function makeBundle(folder: string, rootfs: string): string {
  const bundle = join(folder, "bundle");
  mkdirSync(bundle);
  execFileSync("runc", ["spec", "--bundle", bundle]);
  const path = join(bundle, "config.json");
  const spec = JSON.parse(readFileSync(path, "utf8"));
  spec.process.terminal = false;
  spec.process.args = ["/bin/true"];
  spec.root.path = rootfs;
  writeFileSync(path, JSON.stringify(spec));
  return bundle;
}

function time(
  timer: string,
  folder: string,
  commands: Readonly<Record<string, readonly string[]>>,
): Record<string, Timing> {
  const args = Object.entries(commands).flatMap(([name, command]) => [
    name,
    ...command,
    "---",
  ]);
  const output = execFileSync(timer, [String(rounds), ...args], {
    cwd: join(folder, "build/action/root"),
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return JSON.parse(output);
}
