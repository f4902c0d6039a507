import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { findFreePort } from "../../../test/fixtures/child-server.js";
import { RedisServerProcess } from "../../../test/fixtures/redis-server.js";
import { newStoredJob } from "../../../test/fixtures/stored-job.js";
import { createJobStore } from "./create-job-store.js";
import { storeConfigurationSchema } from "./store-configuration.js";

const password = "pass phrase #1";
let directory: string;
let passwordFile: string;
let server: RedisServerProcess | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "create-job-store-"));
  passwordFile = join(directory, "password");
  await writeFile(passwordFile, `${password}\n`);
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function useStore(configuration: object): Promise<void> {
  const errors: unknown[] = [];
  const store = await createJobStore(
    storeConfigurationSchema.parse(configuration),
    (error) => errors.push(error),
  );
  const job = newStoredJob();
  await store.create(job);
  expect(await store.get(job.id)).toEqual({ job, version: 1 });
  await store.close();
  expect(errors).toEqual([]);
}

/** A Redis that wants a password. */
function startServer(...settings: string[]): Promise<RedisServerProcess> {
  return RedisServerProcess.start(
    ...["--appendonly", "yes", "--requirepass", password, ...settings],
  );
}

test("createJobStore() opens a file of SQLite", async () => {
  await useStore({ kind: "sqlite", path: join(directory, "jobs.db") });
});

test("createJobStore() opens a Redis with a password", async () => {
  server = await startServer();
  const configuration = { kind: "redis", url: server.url };
  await useStore({ ...configuration, passwordFile });
  const client = server.client(password);
  expect(await client.get("berth:schema")).toBe("1");
  client.disconnect();
  await expect(useStore(configuration)).rejects.toMatchObject({
    code: Code.Unavailable,
    message: expect.stringContaining("NOAUTH"),
  });
  await writeFile(passwordFile, "another");
  await expect(
    useStore({ ...configuration, passwordFile }),
  ).rejects.toMatchObject({
    code: Code.Unavailable,
    message: expect.stringContaining("WRONGPASS"),
  });
  await expect(
    useStore({ ...configuration, passwordFile: join(directory, "missing") }),
  ).rejects.toMatchObject({ code: Code.NotFound });
});

test("createJobStore() speaks TLS with a Redis, and believes no stranger", async () => {
  const [key, caFile] = [join(directory, "key"), join(directory, "cert")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt"],
      ...["ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", caFile],
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
    ],
    { stdio: "ignore" },
  );
  const port = await findFreePort();
  server = await startServer(
    ...["--tls-port", String(port), "--bind", "127.0.0.1"],
    ...["--tls-cert-file", caFile, "--tls-key-file", key],
    ...["--tls-ca-cert-file", caFile, "--tls-auth-clients", "no"],
  );
  const url = `rediss://default@127.0.0.1:${port}/3`;
  const configuration = { kind: "redis", url, passwordFile };
  await useStore({ ...configuration, caFile });
  const client = server.client(password);
  await client.select(3);
  expect(await client.get("berth:schema")).toBe("1");
  client.disconnect();
  await expect(useStore(configuration)).rejects.toMatchObject({
    code: Code.Unavailable,
    message: expect.stringContaining("certificate"),
  });
});

test.each([
  "http://host",
  "redis://",
  "redis://host/name",
  "redis://host?db=1",
  "redis://user:password@host",
  "unix:///",
  "host:6379",
])("storeConfigurationSchema refuses the URL %s", (url) => {
  const parsed = storeConfigurationSchema.safeParse({ kind: "redis", url });
  expect(parsed.error?.issues).toEqual([
    expect.objectContaining({ path: ["url"] }),
  ]);
});

test.each(["redis://host", "rediss://user@[::1]:1/2", "unix:///run/r.sock"])(
  "storeConfigurationSchema takes the URL %s",
  (url) => {
    expect(storeConfigurationSchema.parse({ kind: "redis", url })).toEqual({
      ...{ kind: "redis", url, prefix: "berth:" },
    });
  },
);
