import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Code } from "../../status/index.js";
import { createDockerConfigCredentials } from "./docker-config-credentials.js";

const base64 = (text: string) => Buffer.from(text).toString("base64");

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "docker-config-"));
  path = join(directory, "config.json");
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function setup(config: unknown) {
  await writeFile(path, JSON.stringify(config));
  const env = { PATH: `${directory}:/usr/bin:/bin` };
  return createDockerConfigCredentials(path, { env });
}

async function addHelper(name: string, script: string) {
  const program = join(directory, `docker-credential-${name}`);
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
}

describe("createDockerConfigCredentials() with auths", () => {
  test("createDockerConfigCredentials() finds a password under every spelling of the host", async () => {
    const alice = { kind: "password", username: "alice", password: "a:b" };
    const auth = base64("alice:a:b\0\0");
    for (const [key, registry] of [
      ["registry.example", "registry.example"],
      ["https://registry.example/v2/", "registry.example"],
      ["https://index.docker.io/v1/", "docker.io"],
      ["REGISTRY.example:443", "registry.example"],
      ["registry.example:5000", "registry.example:5000"],
    ] as const) {
      const store = await setup({ auths: { [key]: { auth } } });
      expect(await store.find(registry)).toEqual(alice);
    }
  });

  test("createDockerConfigCredentials() gives no registry another one's credential", async () => {
    const auth = base64("alice:secret");
    const store = await setup({ auths: { "registry.example": { auth } } });
    for (const registry of [
      "registry.example:5000",
      "registry.example.evil.test",
      "example",
      "docker.io",
    ]) {
      expect(await store.find(registry)).toBeUndefined();
    }
  });

  test("createDockerConfigCredentials() prefers an identity token", async () => {
    const store = await setup({
      auths: {
        "r.example": { auth: base64("<token>:x"), identitytoken: "refresh" },
      },
    });
    expect(await store.find("r.example")).toEqual({
      kind: "identityToken",
      token: "refresh",
    });
  });

  test("createDockerConfigCredentials() quotes nothing of a malformed file", async () => {
    const store = await setup({ auths: { "r.example": { auth: "c2VjcmV0" } } });
    await expect(store.find("r.example")).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message:
        'Docker configuration file has a malformed "auth" for registry "r.example"',
    });
    await writeFile(path, '{"auths": {"secret');
    await expect(store.find("r.example")).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Docker configuration file "${path}" is not JSON`,
    });
    await rm(path);
    await expect(store.find("r.example")).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
  });
});

describe("createDockerConfigCredentials() with helpers", () => {
  test("createDockerConfigCredentials() asks the registry's own helper with the file's spelling", async () => {
    await addHelper(
      "own",
      'read -r server; test "$1" = get && printf \'{"Username":"u","Secret":"for %s"}\' "$server"',
    );
    const store = await setup({
      credHelpers: { "https://r.example": "own" },
      credsStore: "missing",
      auths: { "r.example": { auth: base64("not:this") } },
    });
    expect(await store.find("r.example")).toEqual({
      kind: "password",
      username: "u",
      password: "for https://r.example",
    });
  });

  test("createDockerConfigCredentials() falls back to auths when the store knows none", async () => {
    await addHelper(
      "store",
      "echo credentials not found in native keychain; exit 1",
    );
    const store = await setup({
      credsStore: "store",
      auths: { "r.example": { auth: base64("u:p") } },
    });
    expect(await store.find("r.example")).toMatchObject({ password: "p" });
    expect(await store.find("other.example")).toBeUndefined();
  });

  test("createDockerConfigCredentials() takes the user <token> for an identity token", async () => {
    await addHelper("t", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    const store = await setup({ credsStore: "t" });
    expect(await store.find("docker.io")).toEqual({
      kind: "identityToken",
      token: "refresh",
    });
  });

  test.each([
    ["fails", "echo secret; exit 3", "it ended with exit status 3"],
    ["chatters", "echo secret", "its output lacks Username or Secret"],
    ["floods", "yes secret", "it ended with exit status null"],
  ])(
    "createDockerConfigCredentials() tells of a helper that %s, without its output",
    async (name, script, cause) => {
      await addHelper(name, script);
      const store = await setup({ credsStore: name });
      await expect(store.find("r.example")).rejects.toMatchObject({
        code: Code.FailedPrecondition,
        message: `Failed to run credential helper "${name}": ${cause}`,
      });
    },
  );

  test("createDockerConfigCredentials() tells of a helper that is not there", async () => {
    const store = await setup({ credsStore: "none-such" });
    await expect(store.find("r.example")).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: 'Failed to run credential helper "none-such": it is not on PATH',
    });
    const evil = await setup({ credsStore: "../../bin/sh" });
    await expect(evil.find("r.example")).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
  });

  test("createDockerConfigCredentials() kills the helper when the caller gives up", async () => {
    await addHelper("slow", "exec sleep 100");
    const store = await setup({ credsStore: "slow" });
    const controller = new AbortController();
    const found = store.find("r.example", { signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(found).rejects.toMatchObject({ code: Code.Cancelled });
  });
});
