import { afterEach, expect, test } from "@jest/globals";
import { Counter } from "prom-client";
import { createMetrics, type Diagnostics, serveDiagnostics } from "./index.js";

let diagnostics: Diagnostics | undefined;
afterEach(() => diagnostics?.stop());

test("serveDiagnostics() serves metrics, health and readiness", async () => {
  const metrics = createMetrics();
  new Counter({ name: "x_total", help: "x", registers: [metrics] }).inc(2);
  let ready = false;
  diagnostics = await serveDiagnostics({
    listen: "127.0.0.1:0",
    metrics,
    isReady: () => ready,
  });
  const get = (path: string) => fetch(`http://${diagnostics?.address}${path}`);
  expect(await (await get("/metrics")).text()).toContain("\nx_total 2\n");
  expect((await get("/-/healthy")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(503);
  ready = true;
  expect((await get("/readyz?verbose")).status).toBe(200);
  expect((await get("/other")).status).toBe(404);
});

test("serveDiagnostics() says which address it could not have", async () => {
  const options = { metrics: createMetrics(), isReady: () => true };
  diagnostics = await serveDiagnostics({ listen: "127.0.0.1:0", ...options });
  await expect(
    serveDiagnostics({ listen: diagnostics.address, ...options }),
  ).rejects.toThrow(
    `Failed to serve diagnostics on "${diagnostics.address}": listen EADDRINUSE`,
  );
});
