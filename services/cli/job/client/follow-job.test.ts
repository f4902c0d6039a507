import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { JobMessage } from "../../../../lib/job-api/index.js";
import { Code } from "../../../../lib/status/index.js";
import { jobOf, stepOf } from "../testing/example-job.js";
import { followJob } from "./follow-job.js";
import { JobHttpClient } from "./job-http-client.js";

const job = jobOf(stepOf("a"));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Answer = (request: IncomingMessage) => { status?: number; body: string };

/** A server that gives one answer after the other, cut where they end. */
async function setup(...answers: Answer[]) {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    const answer = answers[requests.length - 1];
    if (answer === undefined) {
      response.destroy();
      return;
    }
    const { status = 200, body } = answer(request);
    response.writeHead(status);
    response.write(body, () => {
      // Without the end of the chunked answer: as a server that is killed.
      if (status === 200) response.destroy();
      else response.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const controller = new AbortController();
  const client = new JobHttpClient({
    server: new URL(`http://127.0.0.1:${port}/base/`),
    token: "token",
    signal: controller.signal,
  });
  closing.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => client.close(),
  );
  return { client, controller, requests };
}

function event(message: JobMessage, id?: string): string {
  const data = `event: ${message.kind}\ndata: ${JSON.stringify(message)}\n\n`;
  return id === undefined ? data : `id: ${id}\n${data}`;
}

function log(text: string, offset: number): JobMessage {
  const bytes = text.length;
  return { kind: "log", step: "a", stream: "stdout", offset, text, bytes };
}

async function collect(
  { client, controller }: Awaited<ReturnType<typeof setup>>,
  patienceMs?: number,
) {
  const messages: JobMessage[] = [];
  let lost = 0;
  const following = followJob(client, job.id, {
    signal: controller.signal,
    onLost: async () => {
      lost++;
    },
    ...(patienceMs !== undefined && { patienceMs }),
  });
  try {
    for await (const message of following) messages.push(message);
    return { messages, lost };
  } catch (error) {
    return { messages, lost, error };
  }
}

describe("followJob()", () => {
  test("followJob() goes on where a server that was killed left off", async () => {
    const away: Answer = () => ({ status: 503, body: "" });
    const scenario = await setup(
      () => ({
        body: `${event({ kind: "job", job })}${event(log("one\n", 0), "0:4.0")}id: 0:4.1\n\n${event(log("cut", 4), "0:7.1").slice(0, -2)}`,
      }),
      away,
      away,
      () => ({
        body: `${event(log("cut\n", 4), "0")}${event({ kind: "end" })}`,
      }),
    );
    expect(await collect(scenario)).toEqual({
      messages: [
        { kind: "job", job },
        log("one\n", 0),
        log("cut\n", 4),
        { kind: "end" },
      ],
      lost: 1,
    });
    expect(
      scenario.requests.map(({ url, headers }) => [
        url,
        headers.authorization,
        headers["last-event-id"],
      ]),
    ).toEqual(
      [undefined, "0:4.1", "0:4.1", "0:4.1"].map((last) => [
        `/base/v1/jobs/${job.id}/events?log=true`,
        "Bearer token",
        last,
      ]),
    );
  });

  test("followJob() does not wait for a server that never was there", async () => {
    const scenario = await setup();
    expect(await collect(scenario)).toEqual({
      messages: [],
      lost: 0,
      error: expect.objectContaining({
        code: Code.Unavailable,
        message: expect.stringMatching(
          /^No job service answers at "http:\/\/127\.0\.0\.1:\d+" \(UND_ERR_SOCKET\): start one with "berth up", or name another by --server$/,
        ),
      }),
    });
    expect(scenario.requests).toHaveLength(1);
  });

  test("followJob() gives up a server that stays away", async () => {
    const scenario = await setup(() => ({ body: event({ kind: "job", job }) }));
    expect(await collect(scenario, 250)).toMatchObject({
      lost: 1,
      error: { code: Code.Unavailable },
    });
    expect(scenario.requests.length).toBeGreaterThan(1);
  });

  test("followJob() throws what the server answers when it is back", async () => {
    const error = { code: "NOT_FOUND", message: "There is no job" };
    const scenario = await setup(
      () => ({ body: event({ kind: "job", job }) }),
      () => ({ status: 404, body: JSON.stringify({ error }) }),
    );
    expect(await collect(scenario)).toMatchObject({
      error: { code: Code.NotFound, message: "There is no job" },
    });
  });

  test("followJob() tells another program from ours", async () => {
    const page = await setup(() => ({ status: 404, body: "<html>" }));
    expect(await collect(page)).toMatchObject({
      error: {
        code: Code.Internal,
        message:
          "The server answers with HTTP status 404, and not as berth does: check --server",
      },
    });
    const other = await setup(() => ({ body: "data: {}\n\n" }));
    expect(await collect(other)).toMatchObject({
      error: {
        code: Code.Internal,
        message:
          'The server\'s answer is no message ("kind" is wrong): it may be another program, or of another version',
      },
    });
  });

  test("followJob() ends when it is interrupted", async () => {
    const scenario = await setup(() => ({ body: event({ kind: "job", job }) }));
    setTimeout(() => scenario.controller.abort(), 150);
    const { error } = await collect(scenario);
    expect(error).toBeDefined();
    expect(scenario.controller.signal.aborted).toBe(true);
  });
});
