// Proves that what the root fetcher puts on disk is what umoci unpacks, for
// images from a real registry, hostile ones among them.
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { berthExec } from "../fixtures/berth-exec.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { describeFolder } from "../fixtures/describe-tree.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { eventually } from "../fixtures/eventually.js";
import { readHostileCases } from "../fixtures/hostile-cases.js";
import {
  acquireRoot,
  type RootFetcherProcess,
  startRootFetcher,
} from "../fixtures/root-fetcher-process.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarHardLink,
  tarSymlink,
} from "../fixtures/tar-archive.js";
import { pushTestLayers } from "../fixtures/test-image.js";
import { unpackWithUmoci } from "../fixtures/umoci.js";

let registry: ChildServer;
let fetcher: RootFetcherProcess;

beforeAll(async () => {
  registry = await startDockerRegistry();
  fetcher = await startRootFetcher({ hosts: [registry.host] });
});

afterAll(async () => {
  await fetcher?.remove();
  await registry?.stop();
});

const push = (name: string, layers: readonly Buffer[]) =>
  pushTestLayers(registry.host, name, layers);

/** Acquires, and gives the root's path or the error's line. */
async function acquire(reference: string): Promise<string> {
  const { answer, client } = await acquireRoot(fetcher.socket, reference);
  client.close();
  return answer ?? "closed";
}

/** What we keep of a mode: in a store nothing is writable. */
function withoutModes(lines: readonly string[] | undefined): string[] {
  return (lines ?? []).map((line) =>
    line
      .replace(/^(directory .*) [0-7]+$/, "$1")
      .replace(/^(file .*) ([0-7]+) (@\S+ [0-9a-f]{64} = )/, (_, a, mode, b) =>
        Number.parseInt(mode, 8) & 0o111 ? `${a} executable ${b}` : `${a} ${b}`,
      ),
  );
}

const layers = [
  tarArchive(
    tarDirectory("usr/"),
    tarDirectory("usr/bin/"),
    tarFile("usr/bin/tool", "#!/bin/sh\n", {
      mode: 0o755,
      mtime: 1_700_000_000,
    }),
    tarHardLink("usr/bin/same", "usr/bin/tool"),
    tarFile("usr/bin/equal", "#!/bin/sh\n", {
      mode: 0o755,
      mtime: 1_700_000_000,
    }),
    tarFile("usr/caf\xe9", "latin", { mtime: 5 }),
    tarFile("usr/caf\xe8", "latin", { mtime: 5 }),
    tarSymlink("bin", "usr/bin"),
    tarFile("large", Buffer.alloc(3 << 20, "x")),
    tarFile("empty"),
    tarFile("private", "p", { mode: 0o600 }),
    tarDirectory("tmp/", { mode: 0o1777 }),
  ),
  tarArchive(
    tarFile("bin/added", "through the link"),
    tarFile(".wh.large"),
    tarFile("empty2"),
    tarFile("empty3"),
  ),
];

describe("RootFetcher", () => {
  test("makes the root that umoci makes, owned by the sandbox's user", async () => {
    const answer = await acquire(await push("plain", layers));
    expect(answer).toMatch(/^OK .*\/roots\/[0-9a-f]{64}\/rootfs$/);
    const root = answer.slice(3);
    const oracle = await unpackWithUmoci(layers);
    expect(withoutModes(describeFolder(root))).toEqual(
      withoutModes(oracle.lines),
    );
    const found = execFileSync("find", [root, "-printf", "%u %g %y%m\n"], {
      encoding: "latin1",
    });
    expect([...new Set(found.trim().split("\n"))].sort()).toEqual([
      ...["65533 65533 d755", "65533 65533 f400", "65533 65533 f444"],
      ...["65533 65533 f555", "65533 65533 l777"],
    ]);
  });

  test("gives equal files that the image does not link inodes of their own", async () => {
    const answer = await acquire(await push("plain", layers));
    const inode = (name: string) => lstatSync(join(answer.slice(3), name)).ino;
    expect(inode("usr/bin/same")).toBe(inode("usr/bin/tool"));
    expect(inode("usr/bin/equal")).not.toBe(inode("usr/bin/tool"));
    expect(new Set(["empty", "empty2", "empty3"].map(inode)).size).toBe(3);
  });

  test("makes a root that berth-exec runs an action in", async () => {
    const shell = readFileSync("/bin/busybox");
    const reference = await push("busybox", [
      tarArchive(
        tarDirectory("bin/"),
        tarFile("bin/busybox", shell, { mode: 0o755 }),
        tarSymlink("bin/sh", "busybox"),
        tarFile("etc/os-release", "ID=test-image\n"),
      ),
    ]);
    const work = join(fetcher.folder, "build/action");
    mkdirSync(work, { recursive: true });
    const config = join(fetcher.folder, "exec.toml");
    writeFileSync(
      config,
      [
        `store = "${fetcher.store}"`,
        `socket = "${fetcher.socket}"`,
        `build_directory = "${join(fetcher.folder, "build")}"`,
        "sandbox_uid = 65533",
        "sandbox_gid = 65533",
      ].join("\n"),
    );
    const output = execFileSync(
      berthExec,
      [
        ...[`--config=${config}`, `--image=${reference}`],
        ...["--working-directory=", "--"],
        ...["/bin/sh", "-c", ". /etc/os-release; echo $ID"],
      ],
      { cwd: work, encoding: "utf8" },
    );
    expect(output).toBe("test-image\n");
  });
});

describe("RootFetcher with hostile images", () => {
  const victim = mkdtempSync(join(tmpdir(), "berth-victim-"));
  const cases = readHostileCases(victim);

  afterAll(() => rmSync(victim, { recursive: true }));

  // a03 to a17: malformed, so nothing becomes visible.
  const rejected = /^a(03|05-empty|05-dotdot|08|10|17)/;

  test.each([...cases].filter(([name]) => !rejected.test(name)))(
    "%s becomes the root that umoci makes",
    async (name, caseLayers) => {
      const answer = await acquire(await push(`pub/${name}`, caseLayers));
      const oracle = await unpackWithUmoci(caseLayers);
      expect(withoutModes(describeFolder(answer.slice(3)))).toEqual(
        withoutModes(oracle.lines),
      );
    },
  );

  test.each([...cases].filter(([name]) => rejected.test(name)))(
    "%s is refused, and leaves nothing behind",
    async (name, caseLayers) => {
      const reference = await push(`pub/${name}`, caseLayers);
      const answer = await acquire(reference);
      expect(answer).toMatch(
        /^ERROR INVALID_ARGUMENT: Failed to make the root of image ".*": .*sha256:/,
      );
      const hex = reference.slice(-64);
      expect(existsSync(join(fetcher.store, "roots", hex))).toBe(false);
      await eventually(() => {
        expect(readdirSync(join(fetcher.store, "tmp"))).toEqual([]);
      });
    },
  );

  test("no host file was touched or shown", () => {
    expect(readdirSync(victim)).toEqual([]);
    const hostname = readFileSync("/etc/hostname", "utf8").trim();
    const hits = spawnSync("grep", ["-rlxF", hostname, fetcher.store]);
    expect(String(hits.stdout)).toBe("");
  });
});
