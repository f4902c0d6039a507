import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { ociDigestOf, parseImageReference } from "../image/index.js";
import { Code } from "../status/index.js";
import { RegistryClient } from "./index.js";
import { drain } from "./testing/setup-evil-registry.js";

const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

/** What a registry does with a connection, once it has read the request. */
const behaviours = {
  silent: () => undefined,
  "drips its headers": (socket: Socket) => drip(socket, head, "X-A: a\r\n"),
  "drips interim answers": (socket: Socket) =>
    drip(socket, "", "HTTP/1.1 102 Processing\r\n\r\n"),
  "drips chunk extensions": (socket: Socket) =>
    drip(socket, `${head}\r\n5;`, "a"),
  "stops in a chunk extension": (socket: Socket) =>
    socket.write(`${head}\r\n5;a`),
  "stops in its body": (socket: Socket) =>
    socket.write(`${head}\r\n5\r\nabcde\r\n`),
} as const;

function drip(socket: Socket, first: string, rest: string): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(rest), 50);
  socket.once("close", () => clearInterval(timer));
}

/** A registry that does one of these things, and a client in a hurry. */
async function setup(behaviour: (socket: Socket) => unknown) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the client gives it up
    socket.once("data", () => behaviour(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const client = new RegistryClient({
    timeouts: { headersMs: 1_000, idleMs: 1_000 },
    retry: { maximumWaitMs: 1_000, initialDelayMs: 1 },
  });
  return {
    host: `127.0.0.1:${port}`,
    client,
    requests: () => sockets.size,
    stop: async () => {
      await client.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe("RegistryClient", () => {
  test.each(Object.entries(behaviours))(
    "RegistryClient gives a registry up that %s, and names it",
    async (_, behaviour) => {
      const { host, client, requests, stop } = await setup(behaviour);
      const reference = parseImageReference(`${host}/x`);
      const data = Buffer.alloc(1_000);
      const descriptor = {
        mediaType: "application/octet-stream",
        digest: ociDigestOf(data),
        sizeBytes: data.byteLength,
      };
      const before = performance.now();
      const blob = await drain(client.openBlob(reference, descriptor));
      const manifest = client.fetchManifest(reference);
      for (const error of [blob.error, await manifest.catch((e) => e)]) {
        expect(error).toMatchObject({
          code: Code.Unavailable,
          message: expect.stringMatching(
            `registry "${host}" (took the connection, but did not answer|stopped sending)`,
          ),
        });
      }
      // Seconds, where four attempts of each would take twice as many; undici
      // counts its timeouts in steps of half a second or more.
      expect(performance.now() - before).toBeLessThan(8_000);
      expect(requests()).toBeLessThanOrEqual(4);
      await stop();
    },
  );

  test("RegistryClient says of a name without address that DNS does not know it", async () => {
    const client = new RegistryClient({ retry: { initialDelayMs: 1 } });
    const reference = parseImageReference("no-such-registry.invalid/x:1");
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      code: Code.Unavailable,
      message: expect.stringMatching(
        /registry "no-such-registry\.invalid" (is not found in DNS|cannot be looked up)/,
      ),
    });
    await client.close();
  });
});
