import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { JobMessage } from "../../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { eventually } from "../../../../test/fixtures/eventually.js";
import { EventReader } from "../../testing/event-reader.js";
import { HttpScenario } from "../../testing/http-scenario.js";

let api: HttpScenario;
const readers: EventReader[] = [];
beforeEach(async () => {
  api = await HttpScenario.scripted({ limits: { heartbeat: "20ms" } });
});
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await api.server.stop(0);
});

async function follow(id: string, lastId?: string, query = "?log=true") {
  const url = `http://${api.server.address}/v1/jobs/${id}/events${query}`;
  const reader = await EventReader.open(url, lastId);
  readers.push(reader);
  return reader;
}

/** A job of these steps, each needing the one before, prepared. */
async function preparedJob(...steps: object[]): Promise<string> {
  const all = steps.map((step) => ({ image: "a", ...step }));
  const { id } = (await api.post("/v1/jobs", { steps: all })).json;
  api.workflow.prepare(id);
  return id;
}

/** What the messages say that a stream held, by their offsets. */
function logOf(messages: readonly JobMessage[], step: string, stream: string) {
  let text = "";
  let end: number | undefined;
  for (const message of messages) {
    if (message.kind !== "log") continue;
    if (message.step !== step || message.stream !== stream) continue;
    if (end !== undefined) expect(message.offset).toBe(end);
    end = message.offset + message.bytes;
    text += message.text;
  }
  return text;
}

const isLog = ({ kind }: JobMessage) => kind === "log";
const kindsOf = (messages: readonly JobMessage[]) =>
  messages.map(({ kind }) => kind);

test("events of a job are its states, then its end", async () => {
  const id = await preparedJob({});
  const reader = await follow(id, undefined, "");
  expect(reader.status).toBe(200);
  expect(reader.headers.get("content-type")).toBe(
    "text/event-stream; charset=utf-8",
  );
  expect((await reader.next())?.message).toMatchObject({
    kind: "job",
    job: { id, state: "running" },
  });
  api.workflow.start(id, "step-1");
  expect((await reader.next())?.message).toMatchObject({
    job: { steps: [{ state: "running" }] },
  });
  api.workflow.write(id, "step-1/stdout", "not asked for");
  api.workflow.end(id, "step-1");
  const rest = await reader.read();
  expect(kindsOf(rest)).toEqual(["job", "end"]);
  expect(rest[0]).toMatchObject({ job: { state: "succeeded" } });
});

test("events with log give what steps write while they run", async () => {
  const id = await preparedJob({ needs: [] }, { needs: [] });
  const reader = await follow(id);
  api.workflow.start(id, "step-1");
  api.workflow.start(id, "step-2");
  api.workflow.write(id, "step-1/stdout", "one");
  const first = await reader.read(isLog);
  expect(first.at(-1)).toEqual({
    kind: "log",
    step: "step-1",
    stream: "stdout",
    offset: 0,
    text: "one",
    bytes: 3,
  });
  api.workflow.write(id, "step-2/stderr", "two");
  expect((await reader.read(isLog)).at(-1)).toMatchObject({
    step: "step-2",
    stream: "stderr",
  });
  api.workflow.end(id, "step-1");
  api.workflow.end(id, "step-2");
  expect(kindsOf(await reader.read()).at(-1)).toBe("end");
});

test("events of an ended job give its log in the order of its steps", async () => {
  const id = await preparedJob({}, {});
  for (const step of ["step-1", "step-2"]) {
    api.workflow.start(id, step);
    api.workflow.write(id, `${step}/stderr`, "x".repeat(100_000));
    api.workflow.write(id, `${step}/stdout`, "y".repeat(100_000));
    api.workflow.end(id, step);
  }
  const messages = await (await follow(id)).read();
  const order = messages.flatMap((message) =>
    message.kind === "log" ? [`${message.step}/${message.stream}`] : [],
  );
  expect([...new Set(order)]).toEqual([
    "step-1/stdout",
    "step-1/stderr",
    "step-2/stdout",
    "step-2/stderr",
  ]);
  expect(order).toEqual([...order].sort((a, b) => sortKey(a) - sortKey(b)));
  expect(logOf(messages, "step-2", "stdout")).toBe("y".repeat(100_000));
});

function sortKey(log: string): number {
  const index = ["step-1/stdout", "step-1/stderr", "step-2/stdout"];
  return (index.indexOf(log) + 4) % 4;
}

test("events cut no character in two, and keep what is no UTF-8 apart", async () => {
  const id = await preparedJob({});
  api.workflow.start(id, "step-1");
  const bytes = Buffer.from("a€😀\0\u001b[31m");
  for (const byte of bytes) {
    api.workflow.write(id, "step-1/stdout", Buffer.from([byte]));
  }
  api.workflow.write(id, "step-1/stdout", Buffer.from([0xff, 0xe2, 0x82]));
  api.workflow.end(id, "step-1");
  const messages = await (await follow(id)).read();
  expect(logOf(messages, "step-1", "stdout")).toBe(
    "a€😀\0\u001b[31m\ufffd\ufffd",
  );
});

test("events go on from any id, without loss and without repetition", async () => {
  const id = await preparedJob({ needs: [] }, { needs: [] }, {});
  const texts: Record<string, string> = {};
  for (const step of ["step-1", "step-2", "step-3"]) {
    api.workflow.start(id, step);
    for (const stream of ["stdout", "stderr"]) {
      const text = `${step} ${stream} €`.repeat(5_000);
      api.workflow.write(id, `${step}/${stream}`, text);
      texts[`${step}/${stream}`] = text;
    }
    if (step !== "step-1") api.workflow.end(id, step);
  }
  api.workflow.end(id, "step-1");
  // A reader whose connection breaks after every event.
  const all: JobMessage[] = [];
  let lastId: string | undefined;
  for (let at = 0; at < 200 && all.at(-1)?.kind !== "end"; at++) {
    const reader = await follow(id, lastId);
    const isFresh = ({ kind }: JobMessage) => kind === "log" || kind === "end";
    const read = await reader.read(isFresh);
    all.push(...read);
    lastId = reader.id === "" ? lastId : reader.id;
    reader.close();
  }
  for (const [log, text] of Object.entries(texts)) {
    const [step = "", stream = ""] = log.split("/");
    expect(logOf(all, step, stream) === text).toBe(true);
  }
  expect(lastId).toBe("0-2");
});

test("events begin a step's log anew when the step is begun again", async () => {
  const id = await preparedJob({});
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "first attempt");
  const reader = await follow(id);
  await reader.read(isLog);
  const lastId = reader.id;
  expect(lastId).toBe("0:13.0");
  const reason = { code: "UNAVAILABLE", text: "The worker went away" };
  api.workflow.apply(id, {
    kind: "attemptEnded",
    step: "step-1",
    outcome: { kind: "broken", reason, mayHaveRun: true },
  });
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "again");
  const notice = {
    kind: "notice",
    text: 'Step "step-1" is begun again, and its log with it',
  };
  const log = { kind: "log", offset: 0, text: "again" };
  for (const each of [reader, await follow(id, lastId)]) {
    const messages = await each.read(isLog);
    const told = messages.filter(({ kind }) => kind !== "job");
    expect(told).toEqual([notice, expect.objectContaining(log)]);
    expect(each.id).toBe("0@1.2:5.0");
  }
});

test("events of a retried job repeat only what is run again", async () => {
  const id = await preparedJob({}, {});
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "kept");
  api.workflow.end(id, "step-1");
  api.workflow.start(id, "step-2");
  api.workflow.write(id, "step-2/stdout", "failed");
  api.workflow.end(id, "step-2", { exitCode: 1 });
  const before = await follow(id);
  expect(kindsOf(await before.read()).at(-1)).toBe("end");
  expect(before.id).toBe("0-1");
  api.workflow.apply(id, { kind: "retryRequested" });
  api.workflow.prepare(id);
  api.workflow.start(id, "step-2");
  api.workflow.write(id, "step-2/stdout", "better");
  api.workflow.end(id, "step-2");
  const after = await (await follow(id, before.id)).read();
  expect(logOf(after, "step-1", "stdout")).toBe("");
  expect(logOf(after, "step-2", "stdout")).toBe("better");
});

test("events say when an engine shows no live log, and give it at the end", async () => {
  const id = await preparedJob({});
  api.workflow.start(id, "step-1", { streams: false });
  const reader = await follow(id);
  const messages = await reader.read(({ kind }) => kind === "notice");
  expect(messages.at(-1)).toEqual({
    kind: "notice",
    text: 'The engine does not show logs of running steps: that of step "step-1" comes at its end',
  });
  api.workflow.write(id, "step-1/stdout", "late");
  api.workflow.end(id, "step-1");
  expect(logOf(await reader.read(), "step-1", "stdout")).toBe("late");
});

test("events of one job go to several readers", async () => {
  const id = await preparedJob({});
  const all = await Promise.all([follow(id), follow(id), follow(id)]);
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "for all");
  api.workflow.end(id, "step-1");
  for (const reader of all) {
    expect(logOf(await reader.read(), "step-1", "stdout")).toBe("for all");
  }
});

test("events of a quiet job have heartbeats", async () => {
  const reader = await follow(await preparedJob({}));
  await reader.next();
  reader.next().catch(() => {}); // until the test's end
  await eventually(() => expect(reader.comments.length).toBeGreaterThan(2));
});

test("a reader that leaves leaves nothing behind", async () => {
  const id = await preparedJob({});
  api.workflow.start(id, "step-1");
  api.workflow.write(id, "step-1/stdout", "a");
  const reader = await follow(id);
  await reader.read(isLog);
  expect([api.workflow.watchers, api.workflow.readers]).toEqual([1, 2]);
  reader.close();
  await eventually(() =>
    expect([api.workflow.watchers, api.workflow.readers]).toEqual([0, 0]),
  );
});

test("a reader that takes nothing holds up the log, not the service", async () => {
  const id = await preparedJob({});
  api.workflow.start(id, "step-1");
  const reader = await follow(id);
  await reader.next();
  for (let at = 0; at < 16; at++) {
    api.workflow.write(id, "step-1/stdout", Buffer.alloc(2 ** 20, "x"));
  }
  api.workflow.end(id, "step-1");
  // The stream is not read; that of another reader is whole.
  const other = await (await follow(id)).read();
  expect(logOf(other, "step-1", "stdout").length).toBe(16 * 2 ** 20);
  expect(api.workflow.readers).toBeGreaterThan(0);
  reader.close();
  await eventually(() => expect(api.workflow.readers).toBe(0));
});

test("events end with a comment when the service stops", async () => {
  const id = await preparedJob({});
  const reader = await follow(id);
  await reader.next();
  const rest = reader.read();
  await api.server.stop(5_000);
  expect(await rest).toEqual([]);
  expect(reader.comments.at(-1)).toBe(
    "the service is being stopped, come again",
  );
});

test("events end when the job is deleted under them", async () => {
  const id = await preparedJob({});
  const reader = await follow(id);
  await reader.next();
  await api.workflow.forget({ tenant: "", id });
  expect(await reader.read()).toEqual([
    { kind: "notice", text: "The job was deleted" },
    { kind: "end" },
  ]);
});

test("events break off where the log cannot be read now", async () => {
  const id = await preparedJob({});
  api.workflow.start(id, "step-1");
  const reader = await follow(id);
  await reader.next();
  api.workflow.failure = new StatusError(Code.Unavailable, "CAS is away");
  const rest = reader.read();
  api.workflow.write(id, "step-1/stdout", "a");
  await expect(rest).rejects.toThrow("terminated");
});

test("event streams are bounded for each tenant, and freed", async () => {
  await api.server.stop(0);
  api = await HttpScenario.scripted({ limits: { streamsPerTenant: 2 } });
  const id = await preparedJob({});
  const first = await follow(id);
  await follow(id);
  const path = `/v1/jobs/${id}/events`;
  const { status, json } = await api.get(path);
  expect([status, json.error]).toEqual([
    429,
    {
      code: "RESOURCE_EXHAUSTED",
      message: "Too many streams are open: at most 2 can be followed at a time",
    },
  ]);
  first.close();
  await eventually(async () => expect((await follow(id)).status).toBe(200));
});

test.each(["x", "9", "0-1", "0:1.1,".repeat(3_000)])(
  "events refuse the id %.20j",
  async (lastId) => {
    const id = await preparedJob({});
    const { status } = await api.get(`/v1/jobs/${id}/events?log=true`, {
      "last-event-id": lastId,
    });
    expect(status).toBe(400);
  },
);
