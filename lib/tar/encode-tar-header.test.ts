import { execFileSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import {
  encodeTarHeader,
  type TarHeaderFields,
  tarEnd,
  tarPadding,
} from "./index.js";

const usual: TarHeaderFields = {
  type: "file",
  path: "usr/bin/sh",
  mode: 0o755,
  sizeBytes: 3,
  mtimeSeconds: 1_600_000_000,
};

function member(fields: Partial<TarHeaderFields>, data = ""): Buffer {
  const content = Buffer.from(data);
  const sizeBytes = content.byteLength;
  const header = encodeTarHeader({ ...usual, sizeBytes, ...fields });
  return Buffer.concat([header, content, tarPadding(sizeBytes)]);
}

/** What another program reads: mode, owner, size, seconds, name, target. */
function listByPython(archive: Buffer): string[] {
  const script = `
import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    print(m.type.decode(), oct(m.mode), m.uid, m.gid, m.size, m.mtime, m.name, m.linkname)
`;
  return execFileSync("python3", ["-c", script], {
    input: archive,
    env: { PYTHONUTF8: "1" },
    encoding: "utf8",
  })
    .replace(/\n$/, "")
    .split("\n");
}

describe("encodeTarHeader()", () => {
  test("encodeTarHeader() makes members that other programs read", () => {
    const long = `${"directory/".repeat(30)}name`;
    const archive = Buffer.concat([
      member({ type: "directory", path: "usr/", mode: 0o1777 }),
      member({}, "abc"),
      member({ type: "symlink", path: "sh", target: "usr/bin/sh" }),
      member({ path: long }, "x".repeat(513)),
      member({ type: "symlink", path: "l", target: long }),
      member({ path: "café", mtimeSeconds: -5 }),
      member({ path: "future", mtimeSeconds: 2 ** 40 }),
      tarEnd,
    ]);
    const at = 1_600_000_000;
    expect(listByPython(archive)).toEqual([
      `5 0o1777 0 0 0 ${at} usr `,
      `0 0o755 0 0 3 ${at} usr/bin/sh `,
      `2 0o755 0 0 0 ${at} sh usr/bin/sh`,
      `0 0o755 0 0 513 ${at} ${long} `,
      `2 0o755 0 0 0 ${at} l ${long}`,
      "0 0o755 0 0 0 -5.0 café ",
      `0 0o755 0 0 0 ${2 ** 40}.0 future `,
    ]);
  });

  test("encodeTarHeader() says sizes that ustar cannot", () => {
    const sizeBytes = 2 ** 33 + 1;
    const header = encodeTarHeader({ ...usual, sizeBytes });
    expect(header.toString("latin1", 512)).toContain(`19 size=${sizeBytes}\n`);
    expect(header).toHaveLength(3 * 512);
  });

  test("encodeTarHeader() fills a name of 100 bytes without an extension", () => {
    expect(encodeTarHeader({ ...usual, path: "n".repeat(100) })).toHaveLength(
      512,
    );
    expect(encodeTarHeader({ ...usual, path: "n".repeat(101) })).toHaveLength(
      2048 - 512,
    );
  });
});
