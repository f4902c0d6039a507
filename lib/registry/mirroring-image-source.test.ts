import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findFreePort } from "../../test/fixtures/child-server.js";
import { sha256 } from "../../test/fixtures/test-image.js";
import { parseImageReference } from "../image/index.js";
import { Code } from "../status/index.js";
import { createMirroringImageSource } from "./index.js";
import {
  drain,
  type EvilSetup,
  setupEvilRegistry,
} from "./testing/setup-evil-registry.js";

describe("createMirroringImageSource()", () => {
  let parts: EvilSetup;
  let nobody: string;
  beforeAll(async () => {
    parts = await setupEvilRegistry();
    nobody = `127.0.0.1:${await findFreePort()}`;
  });
  afterAll(() => parts.stop());

  function setup(registry: string, mirrors: readonly string[], name: string) {
    const source = createMirroringImageSource(parts.client, {
      [registry]: { mirrors },
    });
    const reference = parseImageReference(
      `${registry}/${name}@${parts.image.digest}`,
    );
    return { source, reference };
  }

  test("createMirroringImageSource() takes the image from a mirror", async () => {
    const { image, layer, host } = parts;
    const { source, reference } = setup(nobody, [nobody, host], "pub/x");
    const { digest } = await source.fetchManifest(reference);
    expect(digest).toBe(image.digest);
    const { data } = await drain(source.openBlob(reference, layer));
    expect(sha256(data)).toBe(layer.digest);
  });

  test("createMirroringImageSource() goes to the registry when mirrors fail, and shows all errors", async () => {
    const { image, layer, host } = parts;
    const { source, reference } = setup(host, [nobody], "pub/x");
    expect((await source.fetchManifest(reference)).digest).toBe(image.digest);
    const { data } = await drain(source.openBlob(reference, layer));
    expect(sha256(data)).toBe(layer.digest);
    const missing = setup(host, [nobody], "none").reference;
    const text = (of: string) =>
      `Failed to fetch manifest of "${of}/none@${image.digest}": registry "${of}"`;
    await expect(source.fetchManifest(missing)).rejects.toMatchObject({
      code: Code.NotFound,
      message: expect.stringMatching(
        new RegExp(
          `^${text(host)} does not have it .*, ${text(nobody)} refuses connections`,
        ),
      ),
    });
    const { error } = await drain(source.openBlob(missing, layer));
    expect(error).toMatchObject({
      code: Code.NotFound,
      message: expect.stringContaining(`"${nobody}" refuses connections`),
    });
  });

  test("createMirroringImageSource() does not begin anew what a mirror gave in part", async () => {
    const { layer, host, pulls } = parts;
    const { source, reference } = setup(nobody, [host], "flip-100000/pub/x");
    const { error } = await drain(source.openBlob(reference, layer));
    expect(error).toMatchObject({ code: Code.DataLoss });
    expect(await pulls(/flip-100000/)).toHaveLength(1);
  });

  test("createMirroringImageSource() asks nobody else when the caller gave up", async () => {
    const { host, pulls } = parts;
    const { source, reference } = setup(host, [nobody], "norange/pub/x");
    const options = { signal: AbortSignal.abort() };
    await expect(
      source.fetchManifest(reference, options),
    ).rejects.toMatchObject({ code: Code.Cancelled });
    expect(await pulls(/norange/)).toEqual([]);
  });
});
