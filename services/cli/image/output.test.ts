import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { createOutput, OutputClosedError } from "./output.js";

function failing(code: string): Writable {
  return new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      setImmediate(() => done(Object.assign(new Error(code), { code })));
    },
  });
}

describe("createOutput()", () => {
  test("createOutput() waits for a slow reader", async () => {
    const stream = new PassThrough({ highWaterMark: 4 });
    const output = createOutput(stream);
    await output.write("ab");
    let isWritten = false;
    const writing = output.write("cdef").then(() => {
      isWritten = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isWritten).toBe(false);
    expect(stream.read().toString()).toBe("abcdef");
    await writing;
    await output.finish();
  });

  test("createOutput() tells a reader that left from a disk that is full", async () => {
    const left = createOutput(failing("EPIPE"));
    await expect(left.write("data")).rejects.toBeInstanceOf(OutputClosedError);
    await expect(left.finish()).rejects.toBeInstanceOf(OutputClosedError);
    const full = createOutput(failing("ENOSPC"));
    await expect(full.write("data")).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: "Failed to write output: ENOSPC",
    });
  });
});
