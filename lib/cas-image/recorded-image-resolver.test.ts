import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createMemoryImageSource } from "../../test/fixtures/memory-image-source.js";
import { buildTestImage } from "../../test/fixtures/test-image.js";
import { InMemoryActionCache } from "../action-cache/index.js";
import { parseInstanceName } from "../digest/index.js";
import { parseImageReference, parsePlatform } from "../image/index.js";
import { createSourceImageResolver } from "../registry/index.js";
import { Code } from "../status/index.js";
import { createAuthenticatedRecords } from "./authenticated-records.js";
import { createRecordedImageResolver } from "./recorded-image-resolver.js";

const instanceName = parseInstanceName("team");
const platform = parsePlatform("linux/amd64");
const image = buildTestImage({ layers: [Buffer.alloc(0)] });
const pinned = parseImageReference(`registry.test/tool@${image.digest}`);

function setup() {
  const source = createMemoryImageSource();
  source.add("registry.test/tool", image, "1");
  const actionCache = new InMemoryActionCache({ maximumResults: 10 });
  const create = (key: Buffer) => {
    const records = createAuthenticatedRecords({
      ...{ actionCache, key, onError: () => {} },
    });
    const resolver = createSourceImageResolver(source);
    return createRecordedImageResolver(resolver, records);
  };
  return { source, create, key: randomBytes(32) };
}

test("createRecordedImageResolver() knows a digest after a restart, without the registry", async () => {
  const { source, create, key } = setup();
  const first = await create(key).resolve(pinned, platform, { instanceName });
  source.away = true;
  const again = await create(key).resolve(pinned, platform, { instanceName });
  expect({ ...again, isPrivate: false }).toEqual(first);
  // Not for others, nor with another key, nor for another platform.
  const away = { code: Code.Unavailable };
  const other = { instanceName: parseInstanceName("other") };
  await expect(
    create(key).resolve(pinned, platform, other),
  ).rejects.toMatchObject(away);
  await expect(
    create(randomBytes(32)).resolve(pinned, platform, { instanceName }),
  ).rejects.toMatchObject(away);
  await expect(
    create(key).resolve(pinned, parsePlatform("linux/arm64"), { instanceName }),
  ).rejects.toMatchObject(away);
});

test("createRecordedImageResolver() asks for a tag each time", async () => {
  const { source, create, key } = setup();
  const resolver = create(key);
  const tag = parseImageReference("registry.test/tool:1");
  await resolver.resolve(tag, platform, { instanceName });
  await resolver.resolve(tag, platform, { instanceName });
  expect(source.requests).toHaveLength(2);
});
