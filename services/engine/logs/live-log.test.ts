import { expect, test } from "@jest/globals";
import { Digest } from "../../../lib/digest/index.js";
import { Code } from "../../../lib/status/index.js";
import { LiveLog } from "./live-log.js";

/** A log that is written by hand, and stored in memory. */
function setup() {
  let written = Buffer.alloc(0);
  const log = new LiveLog();
  const source = {
    get size() {
      return written.byteLength;
    },
    read: (offset: number, length: number) =>
      written.subarray(offset, offset + length),
  };
  const controller = new AbortController();
  const open = async function* (_: Digest, offset: number) {
    yield written.subarray(offset, offset + 3);
    yield written.subarray(offset + 3);
  };
  return {
    log,
    controller,
    begin: () => log.begin(source),
    write: (text: string) => {
      written = Buffer.concat([written, Buffer.from(text)]);
    },
    truncate: () => {
      written = Buffer.alloc(0);
    },
    end: () => log.end(Digest.of(written)),
    read: (offset = 0, limit = 0) =>
      log.read({ offset, limit }, { open, signal: controller.signal }),
  };
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += Buffer.from(piece).toString();
  return text;
}

test("LiveLog.read() gives what was written, and waits for more", async () => {
  const { log, begin, write, end, read } = setup();
  const early = read();
  const first = early.next();
  expect(log.waitingReaders).toBe(1);
  begin();
  write("one ");
  expect(Buffer.from((await first).value ?? "").toString()).toBe("one ");
  const rest = textOf(early);
  const late = textOf(read(2));
  write("two");
  end();
  expect(await rest).toBe("two");
  expect(await late).toBe("e two");
  expect(await textOf(read())).toBe("one two");
  expect(log.waitingReaders).toBe(0);
});

test.each([
  [0, 2, "01"],
  [4, 3, "456"],
  [8, 0, "89"],
  [10, 0, ""],
  [0, 100, "0123456789"],
])(
  "LiveLog.read() from %d, at most %d, gives %j, live and ended",
  async (offset, limit, wanted) => {
    const { begin, write, end, read } = setup();
    begin();
    write("0123456789");
    const live = textOf(read(offset, limit));
    end();
    expect(await live).toBe(wanted);
    expect(await textOf(read(offset, limit))).toBe(wanted);
  },
);

test("LiveLog.read() takes an offset beyond the end for wrong when that is known", async () => {
  const { begin, write, end, read } = setup();
  begin();
  write("abc");
  const error = {
    code: Code.OutOfRange,
    message: "Offset must be from 0 to 3: current value is 4",
  };
  const waiting = expect(textOf(read(4))).rejects.toMatchObject(error);
  const inTime = textOf(read(3));
  end();
  await waiting;
  expect(await inTime).toBe("");
  await expect(textOf(read(4))).rejects.toMatchObject(error);
});

test("LiveLog.read() ends what a program has made shorter", async () => {
  const { begin, write, truncate, end, read } = setup();
  begin();
  write("abc");
  const reader = read();
  await reader.next();
  truncate();
  write("x");
  const rest = textOf(reader);
  end();
  expect(await rest).toBe("");
});

test("LiveLog.read() ends when its reader leaves, and lets it go", async () => {
  const { log, begin, controller, read } = setup();
  begin();
  const rest = textOf(read());
  await new Promise((resolve) => setImmediate(resolve));
  expect(log.waitingReaders).toBe(1);
  controller.abort();
  expect(await rest).toBe("");
  expect(log.waitingReaders).toBe(0);
});

test("LiveLog is empty if it never began, and lost if it was not stored", async () => {
  const never = setup();
  const reader = textOf(never.read());
  never.log.end();
  expect(await reader).toBe("");
  const lost = setup();
  lost.begin();
  lost.log.end();
  lost.end(); // too late
  await expect(textOf(lost.read())).rejects.toMatchObject({
    code: Code.NotFound,
    message: "The log was not kept",
  });
});
