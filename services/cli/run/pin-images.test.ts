import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ChildServer } from "../../../test/fixtures/child-server.js";
import { startDockerRegistry } from "../../../test/fixtures/docker-registry.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../../test/fixtures/test-image.js";
import { pinImages } from "./pin-images.js";

const image = buildTestImage();
let registry: ChildServer;

beforeAll(async () => {
  registry = await startDockerRegistry();
  await pushTestImage(registry.host, "team/tool", { image, tag: "1" });
});
afterAll(() => registry.stop());

function pin(
  text: string,
  hosts = [registry.host],
  state = "/nonexistent",
): Promise<string> {
  const mirrors = hosts.map((mirror) => ({ of: "hub.test", mirror }));
  return pinImages(text, {
    flags: { registries: [], plainRegistries: [], mirrors },
    state,
    signal: new AbortController().signal,
  });
}

test("pinImages() looks a tag up in a mirror, and keeps the name", async () => {
  const pinned = `hub.test/team/tool@${image.digest}`;
  expect(await pin("hub.test/team/tool:1")).toBe(pinned);
  expect(await pin(`hub.test/team/tool:1 + ${pinned}`)).toBe(
    `${pinned} + ${pinned}`,
  );
});

test("pinImages() asks the mirrors that `berth up` has, unless flags name others", async () => {
  const state = await mkdtemp(join(tmpdir(), "berth-pin-"));
  try {
    await mkdir(join(state, "configuration"));
    await writeFile(
      join(state, "configuration/router.json"),
      JSON.stringify({
        instances: [{ source: "registry" }],
        registries: { "hub.test": { mirrors: [registry.host] } },
      }),
    );
    const pinned = `hub.test/team/tool@${image.digest}`;
    expect(await pin("hub.test/team/tool:1", [], state)).toBe(pinned);
    await expect(
      pin("hub.test/team/tool:1", ["127.0.0.1:1"], state),
    ).rejects.toThrow('registry "hub.test"');
  } finally {
    await rm(state, { recursive: true });
  }
});
