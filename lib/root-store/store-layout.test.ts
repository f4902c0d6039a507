import { describe, expect, test } from "@jest/globals";
import {
  contentFolders,
  contentMode,
  contentPath,
  directoryMode,
  layerRecordPath,
  rootPath,
  storeLayout,
  trashName,
} from "./store-layout.js";

const sha256 = `ab${"0".repeat(62)}`;

describe("contentMode()", () => {
  test.each([
    [0o644, 0o444],
    [0o755, 0o555],
    [0o600, 0o400],
    [0o4711, 0o511],
    [0o000, 0o400],
    [0o222, 0o400],
  ])("contentMode() makes %o read-only and readable", (mode, expected) => {
    expect(contentMode(mode)).toBe(expected);
  });
});

describe("directoryMode()", () => {
  test.each([
    [0o755, 0o755],
    [0o1777, 0o755],
    [0o700, 0o700],
    [0o000, 0o700],
    [0o2775, 0o755],
  ])("directoryMode() lets only the owner of %o write", (mode, expected) => {
    expect(directoryMode(mode)).toBe(expected);
  });
});

describe("contentPath()", () => {
  const key = { sha256, mode: 0o755, mtimeSeconds: -5 };

  test("contentPath() names digest, mode, time and variant", () => {
    expect(contentPath(key)).toBe(`ab/${sha256}.555.-5`);
    expect(contentPath(key, 2)).toBe(`ab/${sha256}.555.-5.2`);
  });

  test("contentPath() is one for modes that differ in bits to write", () => {
    expect(contentPath({ ...key, mode: 0o555 })).toBe(contentPath(key));
  });

  test("contentPath() lies in one of the folders, whose name trashName() drops", () => {
    expect(contentFolders).toContain("ab");
    expect(contentFolders.length).toBe(256);
    expect(trashName(contentPath(key))).toBe(`${sha256}.555.-5`);
  });
});

describe("storeLayout()", () => {
  test("storeLayout() is the one that berth-exec reads", () => {
    const layout = storeLayout("/store");
    expect(rootPath(layout, sha256)).toBe(`/store/roots/${sha256}`);
    expect(layerRecordPath(layout, `sha256:${sha256}`)).toBe(
      `/store/layers/${sha256}`,
    );
  });
});
