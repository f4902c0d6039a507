import {
  appendFileSync,
  mkdtempSync,
  rmSync,
  type Stats,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { FileContentAddressableStorage } from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { FileProgramOutput } from "./file-program-output.js";

const signal = new AbortController().signal;
const large = "0123456789abcdef".repeat(32_768); // 512 KiB
let directory: string;
let cas: FileContentAddressableStorage;
let output: FileProgramOutput;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "program-output-"));
  cas = new FileContentAddressableStorage({
    directory: join(directory, "cas"),
    maximumSizeBytes: 2 ** 30,
  });
});
afterEach(() => {
  output[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

function open(maximumBytes = 2 ** 20): FileProgramOutput {
  output = new FileProgramOutput(join(directory, "stdout"), maximumBytes);
  return output;
}

async function textOf(digest: Digest): Promise<string> {
  return (await cas.read(digest)).toString();
}

function statOf({ key }: Digest): Stats {
  return statSync(join(directory, "cas/blobs", key.slice(0, 2), key));
}

describe("FileProgramOutput.store()", () => {
  test("FileProgramOutput.store() copies a large file: others may have it open", async () => {
    const { path } = open();
    appendFileSync(path, large);
    const digest = await output.store(cas, { signal });
    appendFileSync(path, "more"); // what a writer that lives on does
    expect(await textOf(digest)).toBe(large);
    expect(statOf(digest).ino).not.toBe(statSync(path).ino);
  });

  test.each([
    ["small", 100],
    ["large", 300_000],
  ])(
    "FileProgramOutput.store() marks where it was cut, %s",
    async (_, maximum) => {
      appendFileSync(open(maximum).path, large);
      expect(output.size).toBe(maximum);
      expect(output.read(maximum - 1, 10).byteLength).toBe(1);
      const digest = await output.store(cas, { text: "end\n", signal });
      expect(await textOf(digest)).toBe(
        `${large.slice(0, maximum)}\n[cut here: the limit is ${maximum} bytes]\nend\n`,
      );
    },
  );

  test("FileProgramOutput.store() keeps a file that is all holes", async () => {
    truncateSync(open().path, 500_000);
    const digest = await output.store(cas, { signal });
    expect(digest.sizeBytes).toBe(500_000);
    expect(await textOf(digest)).toBe("\0".repeat(500_000));
    expect(statOf(digest).blocks).toBe(0);
  });

  test("FileProgramOutput.store() leaves no file when it is stopped", async () => {
    appendFileSync(open().path, large);
    const stopped = AbortSignal.abort();
    await expect(output.store(cas, { signal: stopped })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(cas.totals.blobs).toBe(0);
  });
});
