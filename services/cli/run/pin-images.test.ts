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

function pin(text: string): Promise<string> {
  const mirrors = [{ of: "hub.test", mirror: registry.host }];
  return pinImages(text, {
    registries: { registries: [], plainRegistries: [], mirrors },
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
