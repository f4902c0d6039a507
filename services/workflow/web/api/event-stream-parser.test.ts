import { expect, test } from "@jest/globals";
import { EventStreamParser } from "./event-stream-parser.js";

test("EventStreamParser gives events with type and joined data", () => {
  const parser = new EventStreamParser();
  expect(
    parser.push("event: job\ndata: {\ndata:  1}\n\ndata\n\n: quiet\n\n"),
  ).toEqual([
    { type: "job", data: "{\n 1}" },
    { type: "message", data: "" },
  ]);
});

test("EventStreamParser gives the same however the text is cut", () => {
  const text =
    "\ufeffid: 7\r\nevent: log\r\ndata: é\r\n\r\ndata: b\r\rdata: c\n\n";
  for (let cut = 0; cut <= text.length; cut++) {
    const parser = new EventStreamParser();
    const events = [
      ...parser.push(text.slice(0, cut)),
      ...parser.push(text.slice(cut)),
    ];
    expect(events).toEqual([
      { type: "log", data: "é" },
      { type: "message", data: "b" },
      { type: "message", data: "c" },
    ]);
    expect(parser.lastEventId).toBe("7");
  }
});

test("EventStreamParser remembers an id only with a whole event", () => {
  const parser = new EventStreamParser();
  parser.push("id: a\n\nid: b\ndata: x\n");
  expect(parser.lastEventId).toBe("a");
  expect(parser.push("\n")).toEqual([{ type: "message", data: "x" }]);
  expect(parser.lastEventId).toBe("b");
});

test("EventStreamParser gives nothing of a half event", () => {
  const parser = new EventStreamParser();
  expect(parser.push("event: job\ndata: x\n")).toEqual([]);
});
