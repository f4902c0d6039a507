import { describe, expect, test } from "@jest/globals";
import {
  directory,
  file,
  layer,
  opaque,
  replayMessage,
  symlink,
} from "../../test/fixtures/layer-entries.js";
import type { Layer, LayerEntry } from "../layer/index.js";
import { Code } from "../status/index.js";
import { buildImageTree, defaultImageTreeLimits } from "./index.js";

function replayError(path: string, detail: string) {
  const message = replayMessage(path, detail);
  return expect.objectContaining({ code: Code.ResourceExhausted, message });
}

describe("buildImageTree() is limited", () => {
  const many = (count: number, make: (i: number) => LayerEntry) =>
    Array.from({ length: count }, (_, i) => make(i));

  test("in entries, made directories included, removed ones not", () => {
    const limits = { ...defaultImageTreeLimits, entries: 10 };
    const build =
      (...layers: Layer[]) =>
      () =>
        buildImageTree(layers, limits);
    const full = layer(...many(10, (i) => file(`f${i}`)));
    expect(build(full, layer(opaque("")), full)).not.toThrow();
    expect(build(full, full)).not.toThrow();
    const text = "Image must have at most 10 entries";
    expect(build(full, layer(file("x")))).toThrow(replayError("x", text));
    const deep = `${"d/".repeat(10)}f`;
    expect(build(layer(file(deep)))).toThrow(replayError(deep, text));
  });

  test("in depth, once links are followed", () => {
    const deep = "d/".repeat(200);
    const entries = [
      directory(deep.slice(0, -1)),
      symlink("l", deep),
      file(`l/${"e/".repeat(60)}f`),
    ];
    expect(() => buildImageTree([layer(...entries)])).toThrow(
      replayError(
        `l/${"e/".repeat(60)}f`,
        "Path must have at most 256 components once its links are followed",
      ),
    );
  });

  test("in work for links that lead through many others", () => {
    const target = `${"./".repeat(2000)}x`;
    const chain = many(40, (i) =>
      symlink(`l${i}`, i === 0 ? "." : `l${i - 1}/${target.slice(0, 4000)}`),
    );
    const directories = many(200_000, (i) => directory(`l39/d${i % 2}/e`));
    const started = performance.now();
    const image = [{ ...layer(), entries: [...chain, ...directories] }];
    expect(() => buildImageTree(image)).toThrow(
      expect.objectContaining({ code: Code.ResourceExhausted }),
    );
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  test("in work for whiteouts that are repeated", () => {
    const files = many(50_000, (i) => file(`d/f${i}`));
    const entries = [...files, ...many(50_000, () => opaque("d"))];
    const started = performance.now();
    expect(buildImageTree([layer(...entries)]).totals.files).toBe(50_000);
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});
