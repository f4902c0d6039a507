// Proves that the root fetcher survives its clients, its own death and a full
// disk: threat model, cases D01, D04, D07 and D08.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ChildServer } from "../fixtures/child-server.js";
import { describeFolder } from "../fixtures/describe-tree.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { eventually } from "../fixtures/eventually.js";
import {
  acquireRoot,
  connectToFetcher,
  type RootFetcherProcess,
  startRootFetcher,
} from "../fixtures/root-fetcher-process.js";
import { tarArchive, tarDirectory, tarFile } from "../fixtures/tar-archive.js";
import {
  buildTestImage,
  noise,
  pushTestImage,
} from "../fixtures/test-image.js";

let registry: ChildServer;
const started: RootFetcherProcess[] = [];

beforeAll(async () => {
  registry = await startDockerRegistry();
});

afterAll(async () => {
  for (const fetcher of started) await fetcher.remove();
  await registry.stop();
});

async function start(
  options: Parameters<typeof startRootFetcher>[0] = {},
): Promise<RootFetcherProcess> {
  const fetcher = await startRootFetcher({
    hosts: [registry.host],
    ...options,
  });
  started.push(fetcher);
  return fetcher;
}

/** Pushes an image of one layer with files that do not compress, or do. */
async function push(
  name: string,
  files: number,
  bytes: number,
  content = noise(bytes),
): Promise<string> {
  const parts = Array.from({ length: files }, (_, index) => {
    const data = Buffer.concat([Buffer.from(`${name} ${index}`), content]);
    return tarFile(`${name}/${index}`, data);
  });
  const image = buildTestImage({
    layers: [tarArchive(tarDirectory(`${name}/`), ...parts)],
  });
  await pushTestImage(registry.host, name, { image });
  return `${registry.host}/${name}@${image.digest}`;
}

/** Acquires and lets go; the answer's line. */
async function acquire(
  fetcher: RootFetcherProcess,
  reference: string,
): Promise<string | undefined> {
  const { answer, client } = await acquireRoot(fetcher.socket, reference);
  client.close();
  return answer;
}

function descriptors(fetcher: RootFetcherProcess): number {
  return readdirSync(`/proc/${fetcher.pid()}/fd`).length;
}

async function metric(address: string, name: string): Promise<number> {
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const line = text.split("\n").find((found) => found.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

function diagnosticsOf(fetcher: RootFetcherProcess): string {
  return /"diagnostics":"([^"]+)"/.exec(fetcher.log())?.[1] ?? "";
}

describe("RootFetcher and its clients (D01)", () => {
  test("ends the lease of a client that is killed or never reads", async () => {
    const fetcher = await start({
      configuration: { diagnostics: "127.0.0.1:0" },
    });
    const reference = await push("d01", 3, 100);
    await acquire(fetcher, reference);
    const leases = () =>
      metric(diagnosticsOf(fetcher), "berth_root_fetcher_leases");
    await eventually(async () => expect(await leases()).toBe(0));
    const before = descriptors(fetcher);

    const client = `
      const socket = require("node:net").connect(${JSON.stringify(fetcher.socket)});
      socket.write(${JSON.stringify(`ACQUIRE ${reference}\n`)});
      socket.on("data", (data) => process.stdout.write(data));
    `;
    const child = spawn(process.execPath, ["-e", client]);
    await once(child.stdout, "data");
    await eventually(async () => expect(await leases()).toBe(1));
    const killedAt = Date.now();
    child.kill("SIGKILL");
    await eventually(async () => expect(await leases()).toBe(0));
    expect(Date.now() - killedAt).toBeLessThan(5_000);

    // Before the answer, without reading it, and with a flood of hints.
    for (let round = 0; round < repeats; round++) {
      const socket = connect(fetcher.socket);
      socket.on("error", () => {}); // it is destroyed while it writes
      await once(socket, "connect");
      socket.write(`USED ${"0".repeat(64)}\n`.repeat(round % 50));
      socket.write(`ACQUIRE ${reference}\n`);
      if (round % 3 === 0) await once(socket, "data");
      socket.destroy();
    }
    await eventually(async () => {
      expect(await leases()).toBe(0);
      expect(descriptors(fetcher)).toBeLessThanOrEqual(before + 5);
    });
  });

  test("stops a pull within five seconds when its clients are gone", async () => {
    const fetcher = await start();
    const reference = await push("gone", 200, 100_000);
    const { client } = await connectAndSend(fetcher, `WATCH ${reference}`);
    expect(await client.next()).toMatch(/^PROGRESS \{"layers":1,/);
    client.close();
    await eventually(() => {
      expect(readdirSync(join(fetcher.store, "tmp"))).toEqual([]);
      expect(readdirSync(join(fetcher.store, "roots"))).toEqual([]);
    });
    expect(await acquire(fetcher, reference)).toMatch(/^OK /);
  });

  test.each([
    [
      "no verb",
      "HELLO",
      "INVALID_ARGUMENT: Line must begin with ACQUIRE, WATCH or USED",
    ],
    [
      "a tag",
      "ACQUIRE debian:12",
      'INVALID_ARGUMENT: Image reference must name a digest ("…@sha256:…"), a tag is not enough: current value is "debian:12"',
    ],
    [
      "a long line",
      `ACQUIRE ${"x".repeat(5_000)}`,
      "INVALID_ARGUMENT: Line must have 4096 bytes at most",
    ],
    [
      "a layout",
      "ACQUIRE oci:/etc",
      'INVALID_ARGUMENT: Image reference must name an image in a registry, layouts are not allowed here: current value is "oci:/etc"',
    ],
  ])("refuses %s, and goes on", async (_, line, error) => {
    const fetcher = started[0] ?? (await start());
    const { client } = await connectAndSend(fetcher, line);
    expect(await client.next()).toBe(`ERROR ${error}`);
    expect(await client.next()).toBeUndefined();
  });

  test("refuses connections beyond its limit, and who is silent", async () => {
    const fetcher = await start({
      configuration: { maximumConnections: 2, idleTimeout: "300ms" },
    });
    const silent = await connectToFetcher(fetcher.socket);
    await connectToFetcher(fetcher.socket);
    await expect(connectToFetcher(fetcher.socket)).rejects.toThrow(
      "It greets with ERROR RESOURCE_EXHAUSTED: Too many connections",
    );
    expect(await silent.next()).toBe(
      "ERROR DEADLINE_EXCEEDED: Nothing was asked for",
    );
  });

  test("tells who waits that it stops, and ends with success", async () => {
    const fetcher = await start();
    const reference = await push("stop", 200, 100_000);
    const { client } = await connectAndSend(fetcher, `WATCH ${reference}`);
    await client.next();
    const ended = fetcher.end("SIGTERM");
    let last: string | undefined;
    for (let line = await client.next(); line !== undefined; ) {
      last = line;
      line = await client.next();
    }
    expect(last).toBe("ERROR UNAVAILABLE: Root fetcher is stopping");
    expect(await ended).toBe(0);
  });
});

/** Repeats of what a leak would show; more in a long run. */
const repeats = 300;

async function connectAndSend(fetcher: RootFetcherProcess, line: string) {
  const client = await connectToFetcher(fetcher.socket);
  client.send(line);
  return { client };
}

/** Kills at random points of a pull; 200 in a long run. */
const kills = Number(process.env.BERTH_TEST_KILLS ?? 15);

describe("RootFetcher that is killed (D04)", () => {
  test(
    "serves no partial root, cleans up and makes the root",
    async () => {
      const fetcher = await start();
      const reference = await push("killed", 100, 60_000);
      const begun = performance.now();
      const whole = await acquire(fetcher, reference);
      const pullMs = performance.now() - begun;
      const expected = describeFolder(whole?.slice(3) ?? "");
      const root = join(fetcher.store, "roots", reference.slice(-64));
      for (let round = 0; round < kills; round++) {
        await fetcher.end("SIGKILL");
        rmSync(fetcher.store, { recursive: true, force: true });
        await fetcher.start();
        const client = await connectToFetcher(fetcher.socket);
        client.send(`ACQUIRE ${reference}`);
        await delay(Math.random() * pullMs);
        await fetcher.end("SIGKILL");
        client.close();
        if (existsSync(join(root, "image.json"))) {
          expect(describeFolder(join(root, "rootfs"))).toEqual(expected);
        }
        await fetcher.start();
        await eventually(() => {
          expect(readdirSync(join(fetcher.store, "tmp"))).toEqual([]);
        });
        expect(await acquire(fetcher, reference)).toBe(whole);
        expect(describeFolder(join(root, "rootfs"))).toEqual(expected);
      }
    },
    60_000 + kills * 10_000,
  );
});

describe("RootFetcher on a full disk (D07)", () => {
  async function onTmpfs(
    options: string,
    check: (fetcher: RootFetcherProcess, store: string) => Promise<void>,
  ): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "berth-tmpfs-"));
    const store = join(folder, "store");
    mkdirSync(store);
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", store]);
    try {
      const fetcher = await start({ folder });
      await check(fetcher, store);
      await fetcher.end("SIGTERM");
    } finally {
      await started.at(-1)?.end("SIGKILL");
      execFileSync("umount", [store]);
    }
  }

  test("returns the space, evicts what is idle, and spares what is leased", async () => {
    await onTmpfs("size=16m", async (fetcher, store) => {
      const [small, other, large] = [
        await push("small", 5, 1_000_000),
        await push("other", 8, 1_000_000),
        await push("large", 30, 1_000_000),
      ];
      const used = () =>
        Number(
          execFileSync("df", ["--output=used", store], {
            encoding: "utf8",
          }).split("\n")[1],
        );
      const lease = await acquireRoot(fetcher.socket, small);
      expect(lease.answer).toMatch(/^OK /);
      const before = used();
      expect(await acquire(fetcher, large)).toMatch(
        /^ERROR RESOURCE_EXHAUSTED: .*ENOSPC/,
      );
      await eventually(() => expect(used()).toBeLessThan(before + 1_000));
      expect(existsSync(join(lease.answer?.slice(3) ?? "", "small/0"))).toBe(
        true,
      );
      // Room for one more beside it, and then only by eviction.
      expect(await acquire(fetcher, other)).toMatch(/^OK /);
      lease.client.close();
      // What the manifest says looks as if it had room enough.
      const compressible = Buffer.alloc(1_000_000, "x");
      const third = await push("third", 7, 0, compressible);
      expect(await acquire(fetcher, third)).toMatch(/^OK /);
      expect(fetcher.log()).toContain('"reason":"diskFull"');
    });
  });

  test("fails clearly without inodes, and goes on", async () => {
    await onTmpfs("nr_inodes=700", async (fetcher) => {
      expect(await acquire(fetcher, await push("many", 600, 10))).toMatch(
        /^ERROR RESOURCE_EXHAUSTED: .*ENOSPC/,
      );
      const few = await push("few", 10, 10);
      await eventually(async () => {
        expect(await acquire(fetcher, few)).toMatch(/^OK /);
      });
    });
  });

  test("says that it cannot write to a read-only disk", async () => {
    await onTmpfs("size=16m", async (fetcher, store) => {
      execFileSync("mount", ["-o", "remount,ro", store]);
      expect(await acquire(fetcher, await push("readonly", 2, 10))).toMatch(
        /^ERROR FAILED_PRECONDITION: .*EROFS/,
      );
      execFileSync("mount", ["-o", "remount,rw", store]);
    });
  });
});

describe("RootFetcher and other users (D08)", () => {
  test("keeps others out by the socket's mode, and by their uid", async () => {
    const fetcher = await start();
    chmodSync(fetcher.folder, 0o755);
    expect(statSync(fetcher.socket).mode & 0o777).toBe(0o660);
    const ask = (uid: string) =>
      spawnSync(
        "setpriv",
        [
          ...[`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
          ...[process.execPath, "-e", askScript(fetcher.socket)],
        ],
        { encoding: "utf8" },
      ).stdout;
    expect(ask("12345")).toBe("EACCES\n");
    chmodSync(fetcher.socket, 0o666);
    expect(ask("12345")).toBe(
      'HI\nERROR PERMISSION_DENIED: User 12345 may not acquire image roots: add it to the socket\'s "allowedUids"\n',
    );
    expect(ask("0")).toMatch(/^HI\nERROR (UNAVAILABLE|NOT_FOUND): /);
  });

  test("listens on a path alone", async () => {
    const fetcher = started.at(-1) ?? (await start());
    const sockets = execFileSync("ss", ["-xlpH"], { encoding: "utf8" });
    const own = sockets
      .split("\n")
      .filter((line) => line.includes(`pid=${fetcher.pid()},`));
    expect(own.length).toBe(1);
    expect(own[0]).toContain(` ${fetcher.socket} `);
  });
});

function askScript(path: string): string {
  return `
    const socket = require("node:net").connect(${JSON.stringify(path)});
    socket.on("error", (error) => console.log(error.code));
    socket.on("data", (data) => process.stdout.write(data));
    socket.write("ACQUIRE 127.0.0.1:1/x@sha256:${"0".repeat(64)}\\n");
  `;
}
