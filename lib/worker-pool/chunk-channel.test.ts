import { MessageChannel } from "node:worker_threads";
import { describe, expect, test } from "@jest/globals";
import { Code, StatusError } from "../status/index.js";
import { receiveChunks, sendChunks } from "./chunk-channel.js";

async function* source(
  count: number,
  size: number,
  end: () => void = () => {},
): AsyncGenerator<Uint8Array> {
  try {
    for (let chunk = 0; chunk < count; chunk++) {
      yield new Uint8Array(size).fill(chunk % 251);
    }
  } finally {
    end();
  }
}

describe("sendChunks() and receiveChunks()", () => {
  test("sendChunks() brings all bytes, whole buffers and parts of them", async () => {
    const { port1, port2 } = new MessageChannel();
    const whole = Buffer.from("0123456789");
    const sending = sendChunks(
      (async function* () {
        yield new Uint8Array([1, 2]);
        yield whole.subarray(3, 5);
      })(),
      port1,
      () => {},
    );
    const received: number[] = [];
    for await (const chunk of receiveChunks(port2)) received.push(...chunk);
    await sending;
    expect(received).toEqual([1, 2, 51, 52]);
    expect(whole.toString()).toBe("0123456789"); // still its owner's
  });

  test("receiveChunks() joins what came while its reader was busy", async () => {
    const { port1, port2 } = new MessageChannel();
    const sending = sendChunks(source(5, 2), port1, () => {});
    const received: number[][] = [];
    for await (const chunk of receiveChunks(port2)) {
      received.push([...chunk]);
      await sending; // all are there
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(received.flat()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    expect(received.length).toBeLessThanOrEqual(2);
  });

  test("sendChunks() waits while the receiver is behind", async () => {
    const { port1, port2 } = new MessageChannel();
    let given = 0;
    let consumed = 0;
    const sending = sendChunks(
      (async function* () {
        for await (const chunk of source(100, 1 << 16)) {
          given += chunk.length;
          yield chunk;
        }
      })(),
      port1,
      (bytes) => {
        consumed += bytes;
      },
    );
    const chunks = receiveChunks(port2);
    await chunks.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBeLessThanOrEqual((1 << 20) + (1 << 16));
    for await (const _ of chunks);
    await sending;
    expect(given).toBe(100 << 16);
    // What was consumed last may not have been told before the end.
    expect(consumed).toBeGreaterThanOrEqual(given - (1 << 20));
  });

  test("receiveChunks() fails as the source does", async () => {
    const { port1, port2 } = new MessageChannel();
    const failing = (async function* () {
      yield new Uint8Array(1);
      throw new StatusError(Code.DataLoss, "Digest is wrong");
    })();
    const sending = sendChunks(failing, port1, () => {});
    const chunks = receiveChunks(port2);
    await chunks.next();
    await expect(chunks.next()).rejects.toMatchObject({
      code: Code.DataLoss,
      message: "Digest is wrong",
    });
    await sending;
  });

  test("sendChunks() closes the source when the receiver leaves", async () => {
    const { port1, port2 } = new MessageChannel();
    let isClosed = false;
    const endless = source(Number.POSITIVE_INFINITY, 1 << 16, () => {
      isClosed = true;
    });
    const sending = sendChunks(endless, port1, () => {});
    for await (const _ of receiveChunks(port2)) break;
    await sending;
    expect(isClosed).toBe(true);
  });

  test("receiveChunks() tells that the sender is gone", async () => {
    const { port1, port2 } = new MessageChannel();
    const chunks = receiveChunks(port2).next();
    port1.close();
    await expect(chunks).rejects.toMatchObject({ code: Code.Unavailable });
  });
});
