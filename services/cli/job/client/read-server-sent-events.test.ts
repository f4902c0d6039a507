import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Code } from "../../../../lib/status/index.js";
import {
  readServerSentEvents,
  type ServerSentEvent,
} from "./read-server-sent-events.js";

async function* chunksOf(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

async function read(
  text: string,
  size = 1_000,
  maximumLength?: number,
): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  const chunks = chunksOf(Buffer.from(text), size);
  for await (const event of readServerSentEvents(chunks, maximumLength)) {
    events.push(event);
  }
  return events;
}

describe("readServerSentEvents()", () => {
  test.each([
    ["id: 7\nevent: log\ndata: {}\n\n", [{ id: "7", type: "log", data: "{}" }]],
    [
      "id:7\ndata:a\n\ndata:b\n\n",
      [
        { id: "7", type: "message", data: "a" },
        { id: "7", type: "message", data: "b" },
      ],
    ],
    ["data: a\ndata:  b\n\n", [{ id: "", type: "message", data: "a\n b" }]],
    [": ping\n\nretry: 1\n\nevent: x\n\n", []],
    ["data\n\n", [{ id: "", type: "message", data: "" }]],
    ["id: a\0b\ndata: x\n\n", [{ id: "", type: "message", data: "x" }]],
    ["id: 5\n\n\n", [{ id: "5", type: "message", data: undefined }]],
    ["data: cut", []],
    ["data: cut\n", []],
    ["\ufeffdata: x\n\n", [{ id: "", type: "message", data: "x" }]],
  ])("readServerSentEvents() reads %j", async (text, events) => {
    expect(await read(text)).toEqual(events);
  });

  test("readServerSentEvents() reads any line ends, however they are cut", async () => {
    const lines = ["id: 1", "event: é", "data: \u{1f600}", "data: y", "", ""];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("\n", "\r", "\r\n"),
        fc.integer({ min: 1, max: 20 }),
        async (end, size) => {
          expect(await read(lines.join(end), size)).toEqual([
            { id: "1", type: "é", data: "\u{1f600}\ny" },
          ]);
        },
      ),
    );
  });

  test.each([
    "data: 0123456789",
    "data: 01\ndata: 23\n",
    "data: 0\r\nid: 12\n",
  ])("readServerSentEvents() ends at the limit for %j", async (text) => {
    await expect(read(text, 3, 12)).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: "The server sends an event of more than 12 characters",
    });
  });
});
