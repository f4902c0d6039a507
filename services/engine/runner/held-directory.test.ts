import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { HeldDirectory } from "./held-directory.js";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "held-directory-"));
  mkdirSync(join(directory, "own"));
  mkdirSync(join(directory, "secrets"));
  writeFileSync(join(directory, "own/file"), "own");
  writeFileSync(join(directory, "secrets/file"), "secret");
});
afterEach(() => rmSync(directory, { recursive: true }));

function read(held: HeldDirectory, name: string): string {
  const descriptor = held.openFile(name);
  try {
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}

test("HeldDirectory stays the same when a symlink takes its place", () => {
  using top = HeldDirectory.open(directory);
  using held = top.open("own");
  renameSync(join(directory, "own"), join(directory, "moved"));
  symlinkSync("secrets", join(directory, "own"));
  expect(read(held, "file")).toBe("own");
  expect(held.list().map(({ name }) => name)).toEqual(["file"]);
  expect(() => top.open("own")).toThrow(
    'Output "own" was changed after the action had ended',
  );
});

test("HeldDirectory.openFile() opens nothing but regular files, and never waits", () => {
  symlinkSync("../secrets/file", join(directory, "own/link"));
  execFileSync("mkfifo", [join(directory, "own/pipe")]);
  mkdirSync(join(directory, "own/directory"));
  using held = HeldDirectory.open(join(directory, "own"));
  for (const name of ["link", "pipe", "directory", "absent"]) {
    expect(() => held.openFile(name)).toThrow(
      `Output "${name}" was changed after the action had ended`,
    );
  }
  expect(() => held.readlink("file")).toThrow("was changed");
});
