import { once } from "node:events";
import { connect, type Settings } from "node:http2";
import { expect, test } from "@jest/globals";
import { serveGrpc } from "./index.js";

test("widenHttp2Windows() lets clients of our servers send a megabyte at once", async () => {
  const server = await serveGrpc({
    ...{ listen: "127.0.0.1:0", services: [], sink: () => {} },
  });
  const session = connect(`http://${server.address}`);
  try {
    let settings: Settings = {};
    while (settings.initialWindowSize !== 2 ** 20) {
      [settings] = (await once(session, "remoteSettings")) as [Settings];
    }
    // The connection's own window comes in a frame without an event.
    for (let tries = 0; tries < 100; tries++) {
      if ((session.state.remoteWindowSize ?? 0) > 2 ** 20) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(session.state.remoteWindowSize).toBe(8 * 2 ** 20);
  } finally {
    session.close();
    await server.stop(0);
  }
});
