// Proves that it does not matter to an action where its root came from: of the
// same image, the tree in CAS and the layers in a registry make equal roots.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { parseImageReference, parsePlatform } from "../../lib/image/index.js";
import {
  createConfiguredImageSource,
  createSourceImageResolver,
  imageLayersOf,
} from "../../lib/registry/index.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { pushDemoImage } from "../fixtures/demo-image.js";
import { describeFolder } from "../fixtures/describe-tree.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import {
  type ImportScenario,
  importContext,
  startImportScenario,
} from "../fixtures/import-scenario.js";
import {
  acquireRoot,
  startRootFetcher,
} from "../fixtures/root-fetcher-process.js";

/** The first run makes the image. */
jest.setTimeout(300_000);

let registry: ChildServer;
let scenario: ImportScenario;

beforeAll(async () => {
  registry = await startDockerRegistry();
  scenario = await startImportScenario();
});
afterAll(async () => {
  await scenario?.stop();
  await registry?.stop();
});

/** Imports an image; gives its tree's reference. */
async function importImage(name: string): Promise<string> {
  const { source, close } = createConfiguredImageSource({
    registries: { [registry.host]: { realmHosts: [], mirrors: [] } },
  });
  try {
    const image = await createSourceImageResolver(source).resolve(
      parseImageReference(name),
      parsePlatform("linux/amd64"),
    );
    const { rootDigest } = await scenario.importer.import(
      {
        reference: String(image.reference),
        layers: imageLayersOf(image, source),
      },
      { ...importContext, signal: new AbortController().signal },
    );
    return `cas://${rootDigest}`;
  } finally {
    await close();
  }
}

/** Has a fetcher with an empty store make a root; gives what is in it. */
async function rootOf(reference: string): Promise<readonly string[]> {
  const fetcher = await startRootFetcher({
    hosts: [registry.host],
    configuration: { cas: { address: scenario.address, instanceName: "" } },
  });
  try {
    const { answer, client } = await acquireRoot(fetcher.socket, reference);
    client.close();
    expect(answer).toMatch(/^OK /);
    const root = answer?.slice("OK ".length) ?? "";
    // CAS knows no hard links: which paths share an inode is left out.
    const lines = describeFolder(root).map((line) =>
      line.replace(/ = .*$/, ""),
    );
    return [...lines, ...directoryTimes(root)];
  } finally {
    await fetcher.remove();
  }
}

function directoryTimes(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .sort()
    .map((path) => ({ path, stats: lstatSync(join(root, path)) }))
    .filter(({ stats }) => stats.isDirectory())
    .map(({ path, stats }) => `${path} @${Math.floor(stats.mtimeMs / 1000)}`);
}

test("RootFetcher makes the same root of an image from CAS and from a registry", async () => {
  const { pinned } = pushDemoImage(registry.host);
  const tree = await importImage(pinned);
  const fromRegistry = await rootOf(pinned);
  expect(fromRegistry.length).toBeGreaterThan(2_500);
  expect(await rootOf(tree)).toEqual(fromRegistry);
});
