import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { describeFolder } from "../../test/fixtures/describe-tree.js";
import { eventually } from "../../test/fixtures/eventually.js";
import {
  type RootStoreScenario,
  scenarioImage,
  scenarioLayer,
  setupRootStore,
  unlimited,
} from "../../test/fixtures/root-store-scenario.js";
import { type CasTree, storeCasTree } from "../../test/fixtures/stored-tree.js";
import { tarArchive, tarFile } from "../../test/fixtures/tar-archive.js";
import {
  type CasContext,
  InMemoryContentAddressableStorage,
} from "../cas/index.js";
import { Digest, emptyDigest, parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import { type RootLease, readTreeImage } from "./index.js";

const context = { instanceName: parseInstanceName("") };

/** A store that notes what is read, and can hold readers up. */
class WatchedCas extends InMemoryContentAddressableStorage {
  reads: string[] = [];
  held: { hash: string; reached: () => void } | undefined;

  override async read(digest: Digest, context?: CasContext): Promise<Buffer> {
    this.#note(digest);
    if (this.held?.hash === digest.hash) {
      this.held.reached();
      await new Promise((_, reject) => {
        const { signal } = context ?? {};
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
    }
    return super.read(digest);
  }

  override open(digest: Digest): AsyncGenerator<Uint8Array> {
    this.#note(digest);
    return super.open(digest);
  }

  #note(digest: Digest): void {
    this.reads.push(digest.hash);
  }
}

let cas: WatchedCas;
let scenario: RootStoreScenario;

beforeEach(async () => {
  cas = new WatchedCas({ maximumSizeBytes: 2 ** 28 });
  scenario = await setupRootStore();
});

afterEach(async () => {
  await scenario.remove();
  expect(scenario.errors).toEqual([]);
});

function acquire(
  root: Digest,
  signal = new AbortController().signal,
): Promise<RootLease> {
  return scenario.store.acquire(root.hash, {
    signal,
    image: (ended) =>
      readTreeImage(cas, root, { context: { ...context, signal: ended } }),
  });
}

async function acquireTree(tree: CasTree): Promise<RootLease> {
  return acquire(await storeCasTree(cas, tree, context));
}

const hashOf = (data: string | Buffer) =>
  Digest.of(Buffer.from(data as string)).hash; // ignored for a Buffer

function contentFiles(): string[] {
  const files = join(scenario.folder, "files");
  return readdirSync(files).flatMap((name) => readdirSync(join(files, name)));
}

const large = Buffer.alloc(9_000_000, "large");

describe("readTreeImage()", () => {
  test("readTreeImage() makes a root that is what the tree says", async () => {
    const root = await storeCasTree(
      cas,
      {
        bin: {
          directory: {
            "caf\u00e9": { file: "#!", executable: true, mode: 0o4751 },
            plain: { file: "x", executable: true },
          },
          mode: 0o1700,
          mtime: 1_600_000_000,
        },
        large: { file: large, mtime: 1_700_000_000 },
        old: { file: "old", mtime: -5 },
        one: "same",
        two: "same",
        empty: "",
        link: { link: "bin/caf\u00e9" },
      },
      context,
    );
    const { path, hit, release } = await acquire(root);
    expect(hit).toBe(false);
    expect(path).toBe(join(scenario.folder, `roots/${root.hash}/rootfs`));
    expect(describeFolder(path)).toEqual([
      "directory bin 700",
      `file bin/caf\xc3\xa9 551 @0 ${hashOf("#!")} = bin/caf\xc3\xa9`,
      `file bin/plain 555 @0 ${hashOf("x")} = bin/plain`,
      `file empty 444 @0 ${emptyDigest.hash} = empty`,
      `file large 444 @1700000000 ${hashOf(large)} = large`,
      "symlink link -> bin/caf\xc3\xa9",
      `file old 444 @-5 ${hashOf("old")} = old`,
      `file one 444 @0 ${hashOf("same")} = one`,
      `file two 444 @0 ${hashOf("same")} = two`,
    ]);
    expect(lstatSync(join(path, "bin")).mtimeMs).toBe(1_600_000_000_000);
    expect(lstatSync(path).mtimeMs).toBe(0);
    const image = JSON.parse(readFileSync(join(path, "../image.json"), "utf8"));
    expect(image).toMatchObject({
      reference: `cas://${root}`,
      files: 7,
      directories: 2,
      symlinks: 1,
      sizeBytes: 2 + 1 + large.length + 3 + 4 + 4,
    });
    expect(image.config).toBeNull();
    release();
    expect((await acquire(root)).hit).toBe(true);
  });

  test("readTreeImage() fetches only what no other root has", async () => {
    const shared = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [
        `${at}`,
        { file: `content ${at}`, mtime: at },
      ]),
    );
    await acquireTree({ usr: { directory: shared }, version: "1" });
    // Of a layer of a registry.
    const archive = tarArchive(
      tarFile("layer", "from a layer", { mode: 0o644, mtime: 12 }),
    );
    await scenario.acquire(scenarioImage([scenarioLayer(archive)]));
    cas.reads = [];
    const { path } = await acquireTree({
      usr: { directory: { ...shared, more: "content 5" } },
      version: "2",
      large: { file: large, mtime: 1 },
      again: { file: large, mtime: 2, executable: true },
      layer: { file: "from a layer", mtime: 12 },
    });
    // Two Directories, one of them new, and two files: the copy of a known
    // file with another time is made here.
    expect(cas.reads.length).toBe(4);
    expect(cas.reads.slice(2).sort()).toEqual(
      [hashOf("2"), hashOf(large)].sort(),
    );
    expect(readFileSync(join(path, "usr/more"), "utf8")).toBe("content 5");
    expect(readFileSync(join(path, "again")).equals(large)).toBe(true);
  });

  test("readTreeImage() makes a root once for all who ask", async () => {
    const root = await storeCasTree(cas, { a: "1", b: "2" }, context);
    await Promise.all(Array.from({ length: 50 }, () => acquire(root)));
    expect(cas.reads.length).toBe(3);
  });

  test("its roots are found again, and go with all that is theirs", async () => {
    const root = await storeCasTree(cas, { a: "1", b: "1", c: "2" }, context);
    (await acquire(root)).release();
    await scenario.reopen();
    await scenario.store.settled(); // the audit has looked at all files
    const { hit, path, release } = await acquire(root);
    expect(hit).toBe(true);
    expect(readdirSync(path)).toEqual(["a", "b", "c"]);
    expect(contentFiles().length).toBe(3);
    release();
    await scenario.reopen({ budget: { ...unlimited, maximumInodes: 2 } });
    await scenario.store.settled();
    const other = await acquireTree({});
    await new Promise((resolve) => setImmediate(resolve));
    await eventually(() => expect(scenario.evicted).toEqual([root.hash]));
    await scenario.store.settled();
    expect(contentFiles()).toEqual([]);
    expect(readdirSync(join(scenario.folder, "layers")).length).toBe(1);
    other.release();
  });

  test("a blob that is missing is named, and nothing else is fetched again", async () => {
    const gone = Buffer.from("2"); // comes after "1", by its hash
    const root = await storeCasTree(
      cas,
      { a: "1", b: { directory: { gone: { missing: Digest.of(gone) } } } },
      context,
    );
    await expect(acquire(root)).rejects.toMatchObject({
      code: Code.NotFound,
      message: `Failed to fetch "b/gone": Blob "${Digest.of(gone)}" not found`,
    });
    expect(readdirSync(join(scenario.folder, "roots"))).toEqual([]);
    await cas.write(gone);
    cas.reads = [];
    const { path } = await acquire(root);
    expect(cas.reads.slice(2)).toEqual([hashOf(gone)]);
    expect(readFileSync(join(path, "b/gone"), "utf8")).toBe("2");
  });

  test("a pull that is given up keeps the files that it has, over restarts too", async () => {
    const data = Buffer.alloc(2_000_000, "x");
    const slow = "slower"; // comes after the other, by its hash
    const root = await storeCasTree(cas, { a: { file: data }, slow }, context);
    const reached = new Promise<void>((resolve) => {
      cas.held = { hash: hashOf(slow), reached: resolve };
    });
    const giveUp = new AbortController();
    const pulling = acquire(root, giveUp.signal);
    await reached;
    giveUp.abort();
    await expect(pulling).rejects.toMatchObject({ code: Code.Cancelled });
    await scenario.reopen();
    await scenario.store.settled();
    cas.held = undefined;
    cas.reads = [];
    const { path } = await acquire(root);
    expect(cas.reads).not.toContain(hashOf(data));
    expect(readdirSync(path)).toEqual(["a", "slow"]);
  });

  test("readTreeImage() refuses what no tree can mean", async () => {
    const wrongEmpty = Digest.create("1".repeat(64), 0);
    const cases: [CasTree, string][] = [
      [
        { d: { directory: { e: { missing: wrongEmpty } } } },
        `At "d/e": Digest "${wrongEmpty}" is of no blob`,
      ],
      [
        { late: { file: "", mtime: 2 ** 40 } },
        `At "late": Time of modification is out of range: ${2 ** 40}`,
      ],
      [
        { link: { link: "x".repeat(4096) } },
        'At "link": Target of a symlink must have at most 4095 bytes',
      ],
    ];
    for (const [tree, message] of cases) {
      await expect(acquireTree(tree)).rejects.toMatchObject({
        code: Code.InvalidArgument,
        message,
      });
    }
    expect(contentFiles()).toEqual([]);
    expect(readdirSync(join(scenario.folder, "roots"))).toEqual([]);
  });

  test("a tree that has no room leaves nothing behind", async () => {
    await scenario.reopen({ budget: { ...unlimited, maximumBytes: 10_000 } });
    await scenario.store.settled();
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, at) => [
        `${at}`,
        { file: Buffer.alloc(1000, at) },
      ]),
    );
    await expect(acquireTree(files)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringContaining("Image store has no room"),
    });
    await eventually(() => expect(contentFiles()).toEqual([]));
    expect(scenario.store.statistics()).toMatchObject({ bytes: 0, inodes: 0 });
  });
});
