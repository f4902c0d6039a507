// Proves that a root fetcher in a process of its own makes roots of trees in
// CAS, of our server and of those that others wrote.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  afterAll,
  afterEach,
  beforeAll,
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
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { serveGrpc } from "../../lib/grpc/index.js";
import { describeFolder } from "../fixtures/describe-tree.js";
import { eventually } from "../fixtures/eventually.js";
import { startBuildBox, startBuildGrid } from "../fixtures/python-peers.js";
import {
  acquireRoot,
  connectToFetcher,
  type RootFetcherProcess,
  startRootFetcher,
} from "../fixtures/root-fetcher-process.js";
import { type CasTree, storeCasTree } from "../fixtures/stored-tree.js";

/** The first run downloads and installs the servers. */
jest.setTimeout(300_000);

const context = { instanceName: parseInstanceName("") };

/** A server, with a client that stores in it. */
interface Peer {
  readonly address: string;
  readonly cas: GrpcContentAddressableStorage;
  /** Of our own server only. */
  readonly faults: Map<string, Fault>;
  /** What our own server stores in, without the wire. */
  readonly base?: InMemoryContentAddressableStorage;
  stop(): Promise<void>;
}

async function startOwn(): Promise<Peer> {
  const faults = new Map<string, Fault>();
  const base = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 28,
  });
  const server = await serveGrpc({
    listen: "127.0.0.1:0",
    services: createCasServices({
      cas: new FaultyContentAddressableStorage(base, faults),
      sink: () => {},
    }),
    sink: () => {},
  });
  return { ...connectTo(server.address, faults, () => server.stop(0)), base };
}

function connectTo(
  address: string,
  faults: Map<string, Fault>,
  stop: () => Promise<void>,
): Peer {
  const clients = createGrpcCasClients({ address });
  const cas = new GrpcContentAddressableStorage(clients);
  return {
    ...{ address, cas, faults },
    stop: async () => {
      clients.close();
      await stop();
    },
  };
}

async function startChild(start: typeof startBuildGrid): Promise<Peer> {
  const server = await start();
  return connectTo(server.host, new Map(), server.stop);
}

const peers: [string, () => Promise<Peer>][] = [
  ["our server", startOwn],
  ["BuildGrid", () => startChild(startBuildGrid)],
  ["buildbox-casd", () => startChild(startBuildBox)],
];

const large = Buffer.alloc(9_000_000, "large");
const files = Object.fromEntries(
  Array.from({ length: 2_000 }, (_, at) => [
    `${at}`,
    { file: `content of ${at}`, mtime: at, mode: 0o640 },
  ]),
);
const tree: CasTree = {
  usr: { directory: { files: { directory: files, mode: 0o700 } } },
  tool: { file: "#!/bin/sh\n", executable: true },
  large: { file: large },
  "gr\u00fc\u00df": { link: "usr/files" },
};

let peer: Peer;
let fetcher: RootFetcherProcess;

async function start(startPeer: () => Promise<Peer>): Promise<void> {
  peer = await startPeer();
  fetcher = await startRootFetcher({
    configuration: { cas: { address: peer.address, instanceName: "" } },
  });
}

async function stop(): Promise<void> {
  await fetcher?.remove();
  await peer?.stop();
}

/** Acquires, and gives the root's path or the error's line. */
async function acquire(root: Digest): Promise<string> {
  const { answer, client } = await acquireRoot(fetcher.socket, `cas://${root}`);
  client.close();
  return answer ?? "closed";
}

const store = (of: CasTree) => storeCasTree(peer.cas, of, context);

describe.each(peers)("RootFetcher with %s", (_, startPeer) => {
  beforeAll(() => start(startPeer));
  afterAll(stop);

  test("makes the root of a tree, and finds it again", async () => {
    const root = await store(tree);
    const path = join(fetcher.store, "roots", root.hash, "rootfs");
    expect(await acquire(root)).toBe(`OK ${path}`);
    const lines = describeFolder(path);
    expect(lines.length).toBe(2_000 + 5);
    expect(lines).toEqual(
      expect.arrayContaining([
        "directory usr/files 700",
        `file usr/files/17 440 @17 ${Digest.of(Buffer.from("content of 17")).hash} = usr/files/17`,
        `file large 444 @0 ${Digest.of(large).hash} = large`,
        `file tool 555 @0 ${Digest.of(Buffer.from("#!/bin/sh\n")).hash} = tool`,
        "symlink gr\xc3\xbc\xc3\x9f -> usr/files",
      ]),
    );
    await fetcher.end("SIGKILL");
    await fetcher.start();
    expect(await acquire(root)).toBe(`OK ${path}`);
    expect(fetcher.log()).toContain('"hit":true');
  });

  test("tells WATCH how far it is", async () => {
    const root = await store({ ...tree, watched: "watched" });
    const client = await connectToFetcher(fetcher.socket);
    client.send(`WATCH cas://${root}`);
    const lines: string[] = [];
    for (let line = await client.next(); line !== undefined; ) {
      lines.push(line);
      line = line.startsWith("PROGRESS") ? await client.next() : undefined;
    }
    client.close();
    expect(lines.pop()).toBe(
      `OK ${join(fetcher.store, "roots", root.hash, "rootfs")}`,
    );
    const last = JSON.parse(lines.pop()?.slice("PROGRESS ".length) ?? "{}");
    expect(last.bytesDone).toBe(last.bytes);
    expect(last).toMatchObject({ layers: 1, layersDone: 1, entries: 2_007 });
  });

  test("says what is missing, and is repaired by bringing it", async () => {
    const late = Buffer.from(`late ${peer.address}`);
    const root = await store({
      a: { directory: { late: { missing: Digest.of(late) } } },
    });
    expect(await acquire(root)).toMatch(
      /^ERROR NOT_FOUND: Failed to make the root of image "cas:.*": Failed to fetch "a\/late": /,
    );
    await peer.cas.write(late, context);
    expect(await acquire(root)).toMatch(/^OK /);
    const gone = Digest.of(Buffer.from("no Directory"));
    const without = await store({ b: { missingDirectory: gone } });
    expect(await acquire(without)).toMatch(
      /^ERROR NOT_FOUND: .*: At "b": Failed to read Directory "[0-9a-f]+\/12": /,
    );
  });
});

/** 200,000 paths: files of different contents, in folders of a hundred. */
function largeTree(): CasTree {
  const folders = Array.from({ length: 2_000 }, (_, at) => {
    const files = Array.from({ length: 99 }, (_, file) => [
      `module-${file}.py`,
      { file: `content of file ${file} in ${at}`, mtime: at, mode: 0o644 },
    ]);
    return [`package-${at}`, { directory: Object.fromEntries(files) }];
  });
  return { usr: { directory: Object.fromEntries(folders) } };
}

describe("RootFetcher with a large tree", () => {
  beforeAll(() => start(startOwn));
  afterAll(stop, 180_000); // a store of 200,000 files is slow to remove

  test("makes a root of 200,000 entries in 256 MiB", async () => {
    const cas = peer.base ?? peer.cas;
    const root = await storeCasTree(cas, largeTree(), context);
    expect(await acquire(root)).toMatch(/^OK /);
    const status = readFileSync(`/proc/${fetcher.pid()}/status`, "utf8");
    const peakKiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
    expect(peakKiB).toBeLessThan(256 * 1024);
  });
});

describe("RootFetcher with a CAS that fails", () => {
  beforeAll(() => start(startOwn));
  afterAll(stop);
  afterEach(() => peer.faults.clear());

  test("makes nothing of wrong bytes visible", async () => {
    for (const content of ["small", large]) {
      const data = Buffer.from(content as string); // copies a Buffer
      // As much of it as one message takes, and its last byte another.
      const wrong = Buffer.from(data.subarray(0, 3_000_000));
      wrong.fill("w", wrong.length - 1);
      peer.faults.set(Digest.of(data).key, { type: "bytes", data: wrong });
      const root = await store({ a: "a", file: { file: data } });
      expect(await acquire(root)).toMatch(
        /^ERROR DATA_LOSS: .*: Failed to fetch "file": /,
      );
      expect(existsSync(join(fetcher.store, "roots", root.hash))).toBe(false);
      const named = readdirSync(join(fetcher.store, "files"), {
        recursive: true,
        encoding: "utf8",
      }).filter((name) => name.includes(Digest.of(data).hash));
      expect(named).toEqual([]);
      peer.faults.clear();
      const path = (await acquire(root)).slice("OK ".length);
      expect(readFileSync(join(path, "file")).equals(data)).toBe(true);
    }
  });

  test("lets go of a pull that nobody waits for", async () => {
    const data = Buffer.from("busy");
    const fault: Fault = { type: "status", code: 14 };
    const root = await store({ busy: { file: data } });
    peer.faults.set(Digest.of(data).key, fault);
    const client = await connectToFetcher(fetcher.socket);
    client.send(`ACQUIRE cas://${root}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    client.close();
    await eventually(() =>
      expect(readdirSync(join(fetcher.store, "tmp"))).toEqual([]),
    );
    peer.faults.clear();
    expect(await acquire(root)).toMatch(/^OK /);
  });
});

test("RootFetcher without a CAS says what to configure", async () => {
  fetcher = await startRootFetcher();
  try {
    const root = Digest.of(Buffer.from("root"));
    expect(await acquire(root)).toBe(
      `ERROR FAILED_PRECONDITION: Failed to make the root of image "cas://${root}": No CAS is known here: set "cas" with its "address" and "instanceName" in the configuration of the root fetcher`,
    );
  } finally {
    await fetcher.remove();
  }
});
