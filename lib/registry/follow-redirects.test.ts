import { afterEach, describe, expect, test } from "@jest/globals";
import { startEvilRegistry } from "../../test/fixtures/evil-registry.js";
import { startScriptedServer } from "../../test/fixtures/scripted-server.js";
import { pushTestImage, sha256 } from "../../test/fixtures/test-image.js";
import {
  type ImageReference,
  ociDigestOf,
  parseImageReference,
} from "../image/index.js";
import { Code } from "../status/index.js";
import { followRedirects } from "./follow-redirects.js";
import type { HttpRequest } from "./http/http-transport.js";
import type { CredentialStore } from "./index.js";
import { registryEndpointOf } from "./registry-endpoint.js";
import {
  createTestClient,
  drain,
  setupEvilRegistry,
} from "./testing/setup-evil-registry.js";

const alice: CredentialStore = {
  find: () =>
    Promise.resolve({
      kind: "password",
      username: "alice",
      password: "secret-alice",
    }),
};

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setupServer(
  ...parameters: Parameters<typeof startScriptedServer>
) {
  const server = await startScriptedServer(...parameters);
  cleanups.push(() => server.stop());
  return server;
}

function setupClient(...parameters: Parameters<typeof createTestClient>) {
  const client = createTestClient(...parameters);
  cleanups.push(() => client.close());
  return client;
}

describe("RegistryClient and redirects (B10)", () => {
  test("RegistryClient never sends a credential to the host it is redirected to", async () => {
    const other = await startEvilRegistry();
    cleanups.push(() => other.stop());
    const parts = await setupEvilRegistry({
      client: { credentials: alice },
      env: { EVIL_b: `http://${other.host}` },
    });
    cleanups.push(() => parts.stop());
    const fault = "priv-alice__redir-b";
    await pushTestImage(other.host, "pub/x", { image: parts.image });
    const { client, layer, reference } = parts;
    const { data, error } = await drain(
      client.openBlob(reference(fault), layer),
    );
    // The second registry knows the fault by the path too, and wants alice.
    expect(data.byteLength).toBe(0);
    expect(error).toMatchObject({
      code: Code.Unauthenticated,
      message: `Failed to fetch blob ${layer.digest} of "${reference(fault)}": host "${other.host}", to which registry "${parts.host}" redirects, wants credentials (HTTP status 401, UNAUTHORIZED)`,
    });
    const sent = await other.pulls();
    expect(sent).toHaveLength(1);
    for (const { headers } of sent) {
      expect(headers).not.toHaveProperty("authorization");
      expect(headers).not.toHaveProperty("cookie");
    }
    const first = await parts.pulls(/blobs/);
    expect(first.map(({ headers }) => "authorization" in headers)).toEqual([
      false,
      true,
    ]);
  });

  test("RegistryClient reads a blob from where it is redirected to", async () => {
    const body = "the blob";
    const storage = await setupServer(() => ({ status: 200, body }));
    const registry = await setupServer(() => ({
      status: 307,
      headers: { location: `http://${storage.host}/b?signature=secret` },
    }));
    const client = setupClient([]);
    const data = Buffer.from(body);
    const descriptor = {
      mediaType: "",
      digest: ociDigestOf(data),
      sizeBytes: data.byteLength,
    };
    const read = await drain(
      client.openBlob(parseImageReference(`${registry.host}/x`), descriptor),
    );
    expect(sha256(read.data)).toBe(descriptor.digest);
    expect(storage.seen.map(({ url }) => url)).toEqual(["/b?signature=secret"]);
  });

  test("RegistryClient follows five redirects and no sixth", async () => {
    const registry = await setupServer(({ url = "" }) => ({
      status: 302,
      headers: { location: `${url}1` },
    }));
    const client = setupClient([]);
    const reference = parseImageReference(`${registry.host}/x`);
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      code: Code.Internal,
      message: `Failed to fetch manifest of "${reference}": registry "${registry.host}" redirects more than 5 times`,
    });
    expect(registry.seen).toHaveLength(6);
  });

  test.each([
    ["ftp://127.0.0.1/x", "something that is no plain HTTP or HTTPS URL"],
    [
      "http://user:secret@127.0.0.1/",
      "something that is no plain HTTP or HTTPS URL",
    ],
    ["http://[", "something that is no plain HTTP or HTTPS URL"],
    [
      "http://storage.example/b?sig=secret",
      'plain HTTP at "storage.example", which is refused',
    ],
  ])("RegistryClient refuses a redirect to %s", async (location, text) => {
    const registry = await setupServer(() => ({
      status: 307,
      headers: { location },
    }));
    const client = setupClient([]);
    const reference = parseImageReference(`${registry.host}/x`);
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      message: `Failed to fetch manifest of "${reference}": registry "${registry.host}" redirects to ${text}`,
    });
    expect(registry.seen).toHaveLength(1);
  });

  test.each([
    ["https://169.254.169.254/latest/meta-data", "link-local"],
    ["https://10.0.0.1/", "private"],
    ["https://[fd00::1]/", "private"],
    ["https://[::ffff:169.254.169.254]/", "link-local"],
    ["https://0.0.0.0/", "reserved"],
  ])(
    "RegistryClient refuses a redirect to %s before any packet",
    async (location, kind) => {
      const registry = await setupServer(() => ({
        status: 307,
        headers: { location },
      }));
      const client = setupClient([]);
      const reference = parseImageReference(`${registry.host}/x`);
      await expect(client.fetchManifest(reference)).rejects.toMatchObject({
        code: Code.PermissionDenied,
        message: expect.stringContaining(`has the ${kind} address `),
      });
    },
  );

  test.each([
    ["10.0.0.1:5000/x", "private address 10.0.0.1"],
    ["169.254.169.254/x", "link-local address 169.254.169.254"],
    ["[fe80::1]/x", "link-local address fe80::1"],
  ])(
    "RegistryClient does not talk to %s unless the operator lists it",
    async (name, text) => {
      const client = setupClient([]);
      const reference: ImageReference = parseImageReference(name);
      await expect(client.fetchManifest(reference)).rejects.toMatchObject({
        code: Code.PermissionDenied,
        message: expect.stringContaining(`has the ${text}, which may not be`),
      });
    },
  );

  test("followRedirects() refuses to leave HTTPS for plain HTTP", async () => {
    const endpoint = registryEndpointOf("r.example", {
      "r.example": { realmHosts: [] },
    });
    const transport = {
      send: ({ subject }: HttpRequest) =>
        Promise.resolve({
          status: 307,
          subject,
          header: (name: string) =>
            name === "location" ? "http://127.0.0.1/b?sig=secret" : undefined,
          body: (async function* () {})(),
          discard: () => Promise.resolve(),
        }),
    };
    const request = {
      endpoint,
      path: "/v2/x/blobs/y",
      headers: {},
      authorization: undefined,
      signal: undefined,
    };
    await expect(followRedirects(transport, request)).rejects.toMatchObject({
      code: Code.PermissionDenied,
      message:
        'registry "r.example" redirects to plain HTTP at "127.0.0.1", which is refused',
    });
  });
});
