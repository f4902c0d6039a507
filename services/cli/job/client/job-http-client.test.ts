import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "@jest/globals";
import { Code } from "../../../../lib/status/index.js";
import { JobHttpClient } from "./job-http-client.js";

test("JobHttpClient says why what answers is no job service", async () => {
  const other = createServer((socket) => socket.end("SSH-2.0-x\r\n"));
  await once(other.listen(0, "127.0.0.1"), "listening");
  const { port } = other.address() as { port: number };
  const server = new URL(`http://127.0.0.1:${port}/`);
  const { signal } = new AbortController();
  const client = new JobHttpClient({ server, signal });
  try {
    await expect(client.list(new URLSearchParams())).rejects.toMatchObject({
      code: Code.Unavailable,
      message: expect.stringMatching(
        /^No job service answers at "http:\S+" \((?!undefined|\?)\w.*\): start one/,
      ),
    });
  } finally {
    await client.close();
    other.close();
  }
});
