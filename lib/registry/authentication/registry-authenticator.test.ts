import { afterEach, describe, expect, test } from "@jest/globals";
import { startDockerRegistry } from "../../../test/fixtures/docker-registry.js";
import {
  type ScriptedServer,
  startScriptedServer,
} from "../../../test/fixtures/scripted-server.js";
import {
  buildTestImage,
  pushTestImage,
} from "../../../test/fixtures/test-image.js";
import { parseImageReference } from "../../image/index.js";
import { Code } from "../../status/index.js";
import {
  type Credential,
  type CredentialStore,
  createSourceImageResolver,
  type RegistryClientOptions,
} from "../index.js";
import {
  createTestClient,
  setupEvilRegistry,
} from "../testing/setup-evil-registry.js";
import { basicAuthorization } from "./credential.js";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(
  ...parameters: Parameters<typeof startScriptedServer>
): Promise<ScriptedServer> {
  const server = await startScriptedServer(...parameters);
  cleanups.push(() => server.stop());
  return server;
}

/** A registry that takes the token "good-{n}", n the realm's last answer. */
async function setupBearer(
  options: {
    readonly credential?: Credential;
    readonly client?: RegistryClientOptions;
    readonly trustRealm?: boolean;
    readonly token?: (made: number) => {
      readonly status: number;
      readonly body?: unknown;
    };
    readonly scope?: string;
  } = {},
) {
  let made = 0;
  const state = { valid: "" };
  const realm = await serve(() => {
    made += 1;
    state.valid = `good-${made}`;
    return (
      options.token?.(made) ?? {
        status: 200,
        body: { token: state.valid, expires_in: 300 },
      }
    );
  });
  const image = buildTestImage();
  const registry = await serve(({ headers }) =>
    headers.authorization === `Bearer ${state.valid}`
      ? { status: 200, body: image.manifest.toString() }
      : {
          status: 401,
          headers: {
            "www-authenticate": `Bearer realm="http://${realm.host}/token?a=b",service="the registry",scope="${options.scope ?? "repository:team/x:pull"}"`,
          },
        },
  );
  const asked: string[] = [];
  const credentials: CredentialStore = {
    find: (host) => {
      asked.push(host);
      return Promise.resolve(
        host === registry.host ? options.credential : undefined,
      );
    },
  };
  const client = createTestClient([], {
    credentials,
    ...(options.trustRealm === true
      ? {
          registries: {
            [registry.host]: { realmHosts: [realm.host], plainHttp: true },
          },
        }
      : {}),
    ...options.client,
  });
  cleanups.push(() => client.close());
  const reference = parseImageReference(`${registry.host}/team/x:t`);
  const fetch = (repository = "team/x") =>
    client.fetchManifest(
      parseImageReference(`${registry.host}/${repository}:t`),
    );
  return { realm, registry, client, reference, fetch, asked, image, state };
}

const password: Credential = {
  kind: "password",
  username: "alice",
  password: "wonderland",
};

describe("RegistryClient with Basic", () => {
  // bcrypt of "wonderland", made by crypt(3).
  const htpasswd =
    "alice:$2b$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW\n";

  test("RegistryClient reads from a real registry that wants a password", async () => {
    const registry = await startDockerRegistry({ htpasswd });
    cleanups.push(() => registry.stop());
    const image = buildTestImage();
    const authorization = basicAuthorization(password);
    const headers = { authorization };
    await pushTestImage(registry.host, "x", { image, tag: "t", headers });
    const reference = parseImageReference(`${registry.host}/x:t`);
    const read = async (credential: Credential | undefined) => {
      const client = createTestClient([], {
        credentials: { find: () => Promise.resolve(credential) },
      });
      cleanups.push(() => client.close());
      const platform = { os: "linux", architecture: "amd64" };
      return createSourceImageResolver(client).resolve(reference, {
        ...platform,
        variant: undefined,
      });
    };
    expect((await read(password)).manifestDigest).toBe(image.digest);
    const failed = `Failed to resolve image "${reference}": Failed to fetch manifest of "${reference}": registry "${registry.host}"`;
    await expect(read(undefined)).rejects.toMatchObject({
      code: Code.Unauthenticated,
      message: `${failed} wants credentials, and none are configured for it`,
    });
    const wrong = { ...password, password: "hunter2" };
    await expect(read(wrong)).rejects.toMatchObject({
      code: Code.Unauthenticated,
      message: `${failed} refuses the credentials configured for it`,
    });
  });

  test("RegistryClient sends the password once it is wanted, and then at once", async () => {
    const parts = await setupEvilRegistry({
      client: {
        credentials: {
          find: () =>
            Promise.resolve({
              kind: "password",
              username: "bob",
              password: "secret-bob",
            }),
        },
      },
    });
    cleanups.push(() => parts.stop());
    const { client, reference, pulls } = parts;
    for (let times = 0; times < 2; times++) {
      const fetched = await client.fetchManifest(reference("priv-bob"));
      expect(fetched.isPrivate).toBe(true);
    }
    const sent = await pulls(/priv-bob/);
    expect(sent.map(({ headers }) => "authorization" in headers)).toEqual([
      false,
      true,
      true,
    ]);
    await expect(
      client.fetchManifest(reference("priv-alice")),
    ).rejects.toMatchObject({ code: Code.Unauthenticated });
  });
});

describe("RegistryClient with Bearer", () => {
  test("RegistryClient gets one token for a repository, without credentials", async () => {
    const { fetch, realm, registry, image } = await setupBearer();
    expect(await fetch()).toMatchObject({
      digest: image.digest,
      isPrivate: false,
    });
    await fetch();
    expect(realm.seen).toHaveLength(1);
    const [request] = realm.seen;
    expect(request?.url).toBe(
      "/token?a=b&scope=repository%3Ateam%2Fx%3Apull&service=the+registry",
    );
    expect(request?.headers).not.toHaveProperty("authorization");
    expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      "Bearer good-1",
      "Bearer good-1",
    ]);
  });

  test("RegistryClient shares one token request among many callers", async () => {
    const { fetch, realm } = await setupBearer();
    await Promise.all(Array.from({ length: 20 }, () => fetch()));
    expect(realm.seen).toHaveLength(1);
  });

  test("RegistryClient gets a new token when the old one has run out", async () => {
    let now = 1; // 0 would be no time at all to the cache
    const { fetch, realm } = await setupBearer({ client: { now: () => now } });
    await fetch();
    now += 289_000;
    await fetch();
    expect(realm.seen).toHaveLength(1);
    now += 2_000;
    await fetch();
    expect(realm.seen).toHaveLength(2);
  });

  test("RegistryClient gets a new token when the registry forgets the old one", async () => {
    const { fetch, realm, registry, state } = await setupBearer();
    await fetch();
    state.valid = "none";
    await fetch();
    expect(realm.seen).toHaveLength(2);
    expect(registry.seen).toHaveLength(4);
  });

  test("RegistryClient gives up when new tokens are refused too", async () => {
    const { fetch, reference, realm, registry } = await setupBearer({
      token: (made) => ({ status: 200, body: { token: `bad-${made}` } }),
    });
    await expect(fetch()).rejects.toMatchObject({
      code: Code.Unauthenticated,
      message: `Failed to fetch manifest of "${reference}": registry "${registry.host}" does not let the credentials configured for it, or anybody without credentials, read repository "team/x"`,
    });
    expect(realm.seen).toHaveLength(2);
  });

  test("RegistryClient asks for no more than pull, whatever the challenge offers", async () => {
    const { fetch, realm } = await setupBearer({
      scope: "repository:team/x:pull,push repository:other:*",
    });
    await fetch();
    expect(realm.seen[0]?.url).toContain("scope=repository%3Ateam%2Fx%3Apull&");
  });

  test("RegistryClient takes access_token too", async () => {
    const { fetch } = await setupBearer({
      token: (made) => ({
        status: 200,
        body: { access_token: `good-${made}` },
      }),
    });
    await fetch();
  });

  test("RegistryClient keeps its credential from a realm of another host", async () => {
    const { fetch, reference, realm, registry, asked } = await setupBearer({
      credential: password,
    });
    await expect(fetch()).rejects.toMatchObject({
      code: Code.PermissionDenied,
      message: `Failed to fetch manifest of "${reference}": registry "${registry.host}" wants its credential sent to "${realm.host}", which is none of its realm hosts (the operator can add it to "realmHosts" of this registry)`,
    });
    expect(realm.seen).toEqual([]);
    expect(asked).toEqual([registry.host]);
  });

  test("RegistryClient sends its credential to a realm host that is configured", async () => {
    const { fetch, realm, registry } = await setupBearer({
      credential: password,
      trustRealm: true,
    });
    await fetch();
    expect(realm.seen[0]?.headers.authorization).toBe(
      "Basic YWxpY2U6d29uZGVybGFuZA==",
    );
    // The registry itself sees the token alone.
    expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      "Bearer good-1",
    ]);
  });

  test("RegistryClient exchanges an identity token", async () => {
    const { fetch, realm } = await setupBearer({
      credential: { kind: "identityToken", token: "refresh" },
      trustRealm: true,
    });
    await fetch();
    const [request] = realm.seen;
    expect(request?.method).toBe("POST");
    expect(request?.url).toBe("/token?a=b");
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      scope: "repository:team/x:pull",
      service: "the registry",
      grant_type: "refresh_token",
      client_id: "berth",
      refresh_token: "refresh",
    });
  });

  test.each([
    [
      "refuses the credential",
      { status: 401, body: { token: "secret" } },
      Code.Unauthenticated,
      "refuses the credentials configured for that registry",
    ],
    [
      "answers without a token",
      { status: 200, body: { tokens: "secret" } },
      Code.Internal,
      "answers without a token",
    ],
    [
      "answers with a token that is no header",
      { status: 200, body: { token: "secret\r\nx: y" } },
      Code.Internal,
      "answers without a token",
    ],
    [
      "redirects",
      { status: 307, headers: { location: "http://127.0.0.1:1/" } },
      Code.Internal,
      "answers in a way that makes no sense here (HTTP status 307)",
    ],
    [
      "is in trouble",
      { status: 503, body: "secret" },
      Code.Unavailable,
      "has trouble of its own (HTTP status 503)",
    ],
  ])(
    "RegistryClient tells of a realm that %s, and never its words",
    async (_, answer, code, text) => {
      const { fetch, reference, realm, registry } = await setupBearer({
        credential: password,
        trustRealm: true,
        token: () => answer,
      });
      await expect(fetch()).rejects.toMatchObject({
        code,
        message: `Failed to fetch manifest of "${reference}": token realm "${realm.host}" of registry "${registry.host}" ${text}`,
      });
    },
  );

  test("RegistryClient limits the size of a token's answer", async () => {
    const { fetch } = await setupBearer({
      token: () => ({ status: 200, body: { token: "a".repeat(300_000) } }),
    });
    await expect(fetch()).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      message: expect.stringContaining("more than the 262144 bytes allowed"),
    });
  });

  test.each([
    ["http://realm.example/token", "plain HTTP at"],
    ["https://169.254.169.254/token", "has the link-local address"],
    ["https://10.0.0.1/token", "has the private address"],
    ["file:///etc/passwd", "no plain HTTP or HTTPS URL"],
    ["https://u:p@realm.example/", "no plain HTTP or HTTPS URL"],
    ["", "no plain HTTP or HTTPS URL"],
  ])("RegistryClient does not go to the realm %s", async (realm, text) => {
    const registry = await serve(() => ({
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${realm}"` },
    }));
    const client = createTestClient([]);
    cleanups.push(() => client.close());
    const reference = parseImageReference(`${registry.host}/x`);
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      message: expect.stringContaining(text),
    });
    expect(registry.seen).toHaveLength(1);
  });

  test("RegistryClient says that it knows no other scheme", async () => {
    const registry = await serve(() => ({
      status: 401,
      headers: { "www-authenticate": "Negotiate" },
    }));
    const client = createTestClient([]);
    cleanups.push(() => client.close());
    const reference = parseImageReference(`${registry.host}/x`);
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      code: Code.Unauthenticated,
      message: `Failed to fetch manifest of "${reference}": registry "${registry.host}" wants a kind of credentials that is not supported (neither Basic nor Bearer)`,
    });
  });
});
