import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { FileImageLayouts } from "./file-image-layouts.js";

let folder: string;
let layouts: FileImageLayouts;
const image = { key: "image", ownName: "own" };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-layouts-"));
  layouts = new FileImageLayouts(join(folder, "images"), 1);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The root of an action that ran, with one file of the image's. */
function rootOf(name: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, "own"), { recursive: true });
  writeFileSync(join(root, "own/output"), "");
  writeFileSync(join(root, "of the image"), "");
  return root;
}

function emptyRoot(name: string): string {
  mkdirSync(join(folder, name));
  return join(folder, name);
}

test("FileImageLayouts gives an image that was kept, without what was the action's", async () => {
  const root = rootOf("first");
  await layouts.keep(image, root);
  expect(readdirSync(root)).toEqual(["output"]);
  const next = emptyRoot("next");
  expect(layouts.take({ ...image, key: "another" }, next)).toBe(false);
  expect(layouts.take(image, next)).toBe(true);
  expect(readdirSync(next)).toEqual(["of the image"]);
  expect(layouts.take(image, emptyRoot("third"))).toBe(false);
});

test("FileImageLayouts removes the oldest one beyond its bound", async () => {
  await layouts.keep(image, rootOf("first"));
  await layouts.keep({ ...image, key: "another" }, rootOf("second"));
  expect(layouts.take(image, emptyRoot("next"))).toBe(false);
  expect(readdirSync(join(folder, "images"))).toHaveLength(1);
  expect(existsSync(join(folder, "next"))).toBe(true);
});
