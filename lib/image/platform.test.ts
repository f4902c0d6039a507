import { describe, expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import {
  chooseIndexEntry,
  formatPlatform,
  type ImageIndex,
  type OciDigest,
  parsePlatform,
  platformFromProperties,
} from "./index.js";

const amd64 = parsePlatform("linux/amd64");

describe("parsePlatform()", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["Linux/x86_64", "linux/amd64"],
    ["linux/x86-64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm/v7", "linux/arm"],
    ["linux/armv6", "linux/arm/v6"],
    ["linux/armv8", "linux/arm64"],
    ["linux/riscv64", "linux/riscv64"],
    ["linux/constructor", "linux/constructor"],
  ])("parsePlatform() takes %s for %s", (text, expected) => {
    expect(formatPlatform(parsePlatform(text))).toBe(expected);
  });

  test("parsePlatform() refuses what is no platform", () => {
    for (const text of ["linux", "", "a/b/c/d", "linux/"]) {
      expect(() => parsePlatform(text)).toThrow(
        `Platform must be os/architecture[/variant], such as "linux/amd64": current value is "${text}"`,
      );
    }
  });
});

describe("platformFromProperties()", () => {
  test("platformFromProperties() refuses what would break a line", () => {
    const properties = [{ name: "ISA", value: "x86-64\nOK /" }];
    expect(() => platformFromProperties(properties, amd64)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message:
          'Platform must consist of short words of letters, digits, ".", "+", "-" and "_": current value is "x86-64\\nOK /"',
      }),
    );
  });

  test.each([
    [{}, "linux/amd64"],
    [{ OSFamily: "Linux" }, "linux/amd64"],
    [{ ISA: "aarch64", OSFamily: "linux" }, "linux/arm64"],
    [{ Arch: "arm64" }, "linux/arm64"],
    [{ ISA: "x86-64", Arch: "arm64" }, "linux/amd64"],
    [{ ISA: "x86-64-v3" }, "linux/amd64/v3"],
    [{ ISA: "armv9" }, "linux/arm64/v9"],
    [{ ISA: "mips" }, "linux/mips"],
  ])("platformFromProperties() reads %j as %s", (properties, expected) => {
    const list = Object.entries(properties).map(([name, value]) => ({
      name,
      value,
    }));
    const platform = platformFromProperties(list, amd64);
    expect(formatPlatform(platform)).toBe(expected);
  });

  test("platformFromProperties() looks past extensions for the architecture", () => {
    const properties = ["x86-avx-2", "x86-64"].map((value) => ({
      name: "ISA",
      value,
    }));
    const platform = platformFromProperties(properties, amd64);
    expect(formatPlatform(platform)).toBe("linux/amd64");
  });
});

function indexOf(...platforms: (string | undefined)[]): ImageIndex {
  return {
    kind: "index",
    mediaType: "",
    entries: platforms.map((platform, i) => ({
      mediaType: "",
      digest: `sha256:${String(i).repeat(64)}` as OciDigest, // a test's own
      sizeBytes: 1,
      platform: platform === undefined ? undefined : parsePlatform(platform),
      name: undefined,
    })),
  };
}

function choose(wanted: string, ...platforms: (string | undefined)[]): number {
  const entry = chooseIndexEntry(indexOf(...platforms), parsePlatform(wanted));
  return Number(entry.digest.at(-1));
}

describe("chooseIndexEntry()", () => {
  test.each([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], 1],
    ["linux/amd64", ["linux/amd64", "linux/amd64"], 0],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64"], 1],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], 1],
    ["linux/amd64/v3", ["linux/amd64/v4", "linux/amd64"], 1],
    ["linux/arm", ["linux/arm/v5", "linux/arm/v6"], 1],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], 1],
    ["linux/amd64", [undefined], 0],
    ["linux/amd64", [undefined, "linux/amd64"], 1],
    ["linux/amd64", [undefined, "linux/arm64"], 0],
  ])(
    "chooseIndexEntry() for %s of %j takes entry %d",
    (wanted, platforms, at) => {
      expect(choose(wanted, ...platforms)).toBe(at);
    },
  );

  test("chooseIndexEntry() lists what there is", () => {
    const index = indexOf(
      "windows/amd64",
      "linux/arm/v6",
      "unknown/unknown",
      "linux/arm/v6",
      "linux/amd64/v2",
    );
    expect(() => chooseIndexEntry(index, amd64)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message:
          "Image has no manifest for platform linux/amd64: available are linux/amd64/v2, linux/arm/v6, windows/amd64",
      }),
    );
    expect(() => choose("linux/amd64")).toThrow("available are none");
    expect(() => choose("linux/amd64", undefined, undefined)).toThrow("none");
  });
});
