// Proves that images can be imported into CAS servers that others wrote, and
// into such as have small limits, or fail for single blobs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from "@jest/globals";
import {
  createGrpcCasClients,
  type Fault,
  FaultyContentAddressableStorage,
  GrpcContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "../../lib/cas/index.js";
import { createCasServices } from "../../lib/cas-service/index.js";
import { Digest } from "../../lib/digest/index.js";
import { type GrpcServer, serveGrpc } from "../../lib/grpc/index.js";
import {
  createInMemoryLayerRecordCache,
  ImageImporter,
  type ImportedImage,
} from "../../lib/image-import/index.js";
import { walkTree } from "../../lib/merkle-tree/index.js";
import { Code } from "../../lib/status/index.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { startCuttingProxy } from "../fixtures/cutting-proxy.js";
import { testLayer } from "../fixtures/image-layers.js";
import {
  describeCasTree,
  importContext,
  startImportScenario,
} from "../fixtures/import-scenario.js";
import {
  pythonPeers,
  startBuildBox,
  startBuildGrid,
} from "../fixtures/python-peers.js";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarSymlink,
} from "../fixtures/tar-archive.js";
import { noise } from "../fixtures/test-image.js";

/** The first run downloads and installs the servers. */
jest.setTimeout(300_000);

/** Sizes around the limits below, with and without what a message adds. */
const edges = [65_536, 4 * 2 ** 20].flatMap((limit) =>
  [-129, -128, -127, 0, 1].map((more) => limit + more),
);

const large = noise(9_000_000);
const many = Array.from({ length: 2_500 }, (_, at) =>
  tarFile(`many/${at % 50}/${at}`, `content ${at}`, { mtime: at }),
);
const layers = [
  tarArchive(
    tarDirectory("bin/", { mode: 0o1777, mtime: 3 }),
    tarFile("bin/sh", "#!", { mode: 0o755 }),
    tarSymlink("sh", "bin/sh"),
    tarSymlink("absolute", "/bin/sh"),
    tarFile("caf\xc3\xa9", ""),
    tarFile("large", large),
    ...many,
  ),
  tarArchive(
    ...edges.map((size) => tarFile(`edge/${size}`, noise(size))),
    tarFile("edge/.wh..wh..opq"),
  ),
];

/** The tree as our own store has it, and its lines. */
let expected: { readonly root: string; readonly lines: readonly string[] };

beforeAll(async () => {
  const own = await startImportScenario();
  const { rootDigest } = await own.importer.import(
    { reference: "own", layers: layers.map((layer) => testLayer(layer)) },
    { ...importContext, signal: new AbortController().signal },
  );
  const lines = await describeCasTree(own.cas, rootDigest);
  expected = { root: String(rootDigest), lines };
  await own.stop();
});

/** Imports into the CAS at an address, with nothing known before. */
async function importInto(address: string): Promise<ImportedImage> {
  const spoolDirectory = mkdtempSync(join(tmpdir(), "berth-spool-"));
  const importer = new ImageImporter({
    cas: { address },
    spoolDirectory,
    maximumDirectoryBytes: 2 ** 21,
    workers: 2,
    records: createInMemoryLayerRecordCache(2 ** 26),
  });
  try {
    return await importer.import(
      { reference: "peer", layers: layers.map((each) => testLayer(each)) },
      { ...importContext, signal: new AbortController().signal },
    );
  } finally {
    await importer.stop();
    rmSync(spoolDirectory, { recursive: true });
  }
}

/** Reads every blob of an image from a peer: each is verified. */
async function readBack(
  address: string,
  { rootDigest, digests }: ImportedImage,
): Promise<void> {
  const clients = createGrpcCasClients({ address });
  const cas = new GrpcContentAddressableStorage(clients);
  const context = importContext;
  try {
    const seen = new Set<string>();
    for await (const { digest } of walkTree(cas, rootDigest, { context })) {
      seen.add(digest.key);
    }
    expect(seen.size).toBeGreaterThan(50);
    for (const digest of digests) {
      let bytes = 0;
      for await (const piece of cas.open(digest, context)) {
        bytes += piece.byteLength;
      }
      expect(bytes).toBe(digest.sizeBytes);
      seen.delete(digest.key);
    }
    expect(seen.size).toBe(0);
    expect(await describeCasTree(cas, rootDigest)).toEqual(expected.lines);
  } finally {
    clients.close();
  }
}

const peers: [string, () => Promise<ChildServer>][] = [
  ["BuildGrid", startBuildGrid],
  ["buildbox-casd", startBuildBox],
];

describe("ImageImporter towards others' servers", () => {
  beforeAll(() => pythonPeers());

  test.each(peers)("an image is imported into %s, whole", async (_, start) => {
    const server = await start();
    try {
      const imported = await importInto(server.host);
      expect(String(imported.rootDigest)).toBe(expected.root);
      expect(imported.stored.blobs).toBe(imported.digests.length);
      await readBack(server.host, imported);
      expect((await importInto(server.host)).stored.blobs).toBe(0);
    } finally {
      await server.stop();
    }
  });
});

describe("ImageImporter towards a CAS with limits and faults", () => {
  let faults: Map<string, Fault>;
  let cas: InMemoryContentAddressableStorage;
  let server: GrpcServer;

  beforeEach(() => {
    faults = new Map();
    cas = new InMemoryContentAddressableStorage({ maximumSizeBytes: 2 ** 28 });
  });
  afterEach(() => server.stop(0));

  async function serve(maximumBatchBytes?: number): Promise<string> {
    server = await serveGrpc({
      listen: "127.0.0.1:0",
      services: createCasServices({
        cas: new FaultyContentAddressableStorage(cas, faults),
        ...(maximumBatchBytes !== undefined && { maximumBatchBytes }),
        sink: () => {},
      }),
      sink: () => {},
    });
    return server.address;
  }

  const small = Digest.of(Buffer.from("content 7"));
  const big = Digest.of(large);

  // The server refuses batches above its limit.
  test.each([65_536, 4 * 2 ** 20 - 65_536, 4 * 2 ** 20])(
    "ImageImporter keeps a limit of %d bytes",
    async (limit) => {
      const address = await serve(limit);
      const imported = await importInto(address);
      expect(String(imported.rootDigest)).toBe(expected.root);
      await readBack(address, imported);
    },
  );

  test.each([
    ["a small blob", small, Code.ResourceExhausted],
    ["a small blob", small, Code.Unavailable],
    ["a large blob", big, Code.ResourceExhausted],
    ["a large blob", big, Code.Unavailable],
  ])("ImageImporter tries %s again (%#)", async (_, digest, code) => {
    faults.set(digest.key, { type: "status", code, times: 3 });
    const address = await serve();
    const imported = await importInto(address);
    expect(faults.get(digest.key)).toMatchObject({ times: 0 });
    expect(String(imported.rootDigest)).toBe(expected.root);
    await readBack(address, imported);
  });

  test.each([
    ["a small blob", small],
    ["a large blob", big],
  ])(
    "ImageImporter fails with %s, and leaves no tree with a hole",
    async (_, digest) => {
      const code = Code.PermissionDenied;
      faults.set(digest.key, { type: "status", code });
      const address = await serve();
      await expect(importInto(address)).rejects.toMatchObject({ code });
      const [hash = "", size] = expected.root.split("/");
      const root = Digest.create(hash, Number(size));
      expect(await cas.findMissing([root])).toEqual([root]);
      faults.clear();
      await readBack(address, await importInto(address));
    },
  );

  test("ImageImporter begins again where a connection breaks in a blob's midst", async () => {
    const address = await serve();
    const afterBytes = 3_000_000;
    const proxy = await startCuttingProxy(address, { afterBytes, times: 3 });
    try {
      const imported = await importInto(proxy.host);
      expect(proxy.cuts).toBe(3);
      expect(String(imported.rootDigest)).toBe(expected.root);
      await readBack(address, imported);
    } finally {
      await proxy.stop();
    }
  });
});
