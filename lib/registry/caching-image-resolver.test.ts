import { describe, expect, test } from "@jest/globals";
import {
  type ImageReference,
  type OciDigest,
  parseImageReference,
  parsePlatform,
} from "../image/index.js";
import { Code, StatusError } from "../status/index.js";
import {
  type CachingImageResolverOptions,
  createCachingImageResolver,
  type ImageResolver,
  type ResolvedImage,
} from "./index.js";

const amd64 = parsePlatform("linux/amd64");
const digest = `sha256:${"ab".repeat(32)}` as OciDigest; // well formed

function resolved(reference: ImageReference): ResolvedImage {
  const config = { mediaType: "", digest, sizeBytes: 100 };
  return {
    reference:
      reference.kind === "cas" ? reference : reference.withDigest(digest),
    manifestDigest: digest,
    manifest: { kind: "manifest", mediaType: "", config, layers: [] },
    config: {
      platform: amd64,
      diffIds: [],
      env: [],
      entrypoint: [],
      cmd: [],
      user: "",
      workingDirectory: "",
    },
  };
}

function setup(options: CachingImageResolverOptions = {}) {
  const asked: string[] = [];
  const state = {
    now: 1000,
    failure: undefined as StatusError | undefined,
    isPrivate: false,
  };
  const inner: ImageResolver = {
    resolve: (reference) => {
      asked.push(String(reference));
      return state.failure === undefined
        ? Promise.resolve({
            ...resolved(reference),
            isPrivate: state.isPrivate,
          })
        : Promise.reject(state.failure);
    },
  };
  const resolver = createCachingImageResolver(inner, {
    now: () => state.now,
    ...options,
  });
  const resolve = (text: string, platform = amd64) =>
    resolver.resolve(parseImageReference(text), platform);
  return { asked, state, resolve };
}

describe("createCachingImageResolver()", () => {
  test("createCachingImageResolver() keeps a digest for ever, under any spelling", async () => {
    const { asked, state, resolve } = setup();
    const first = await resolve(`debian@${digest}`);
    state.now += 1e12;
    state.failure = new StatusError(Code.Unavailable, "down");
    const text = `docker://docker.io/library/debian:12@${digest}`;
    expect(await resolve(text)).toBe(first);
    expect(asked).toHaveLength(1);
  });

  test("createCachingImageResolver() has a private image confirmed after an hour, pinned or not", async () => {
    const { asked, state, resolve } = setup();
    state.isPrivate = true;
    await resolve("debian:12");
    await resolve(`debian:12@${digest}`);
    state.now += 3_600_001;
    state.failure = new StatusError(Code.Unauthenticated, "no more");
    await expect(resolve(`debian@${digest}`)).rejects.toBe(state.failure);
    await expect(resolve(`debian:12@${digest}`)).rejects.toBe(state.failure);
    state.failure = undefined;
    await resolve(`debian@${digest}`);
    await resolve(`debian:12@${digest}`);
    state.now += 3_599_999;
    await resolve(`debian@${digest}`);
    expect(asked).toHaveLength(4);
  });

  test("createCachingImageResolver() keeps a tag for a minute, and its digest longer", async () => {
    const { asked, state, resolve } = setup();
    await resolve("debian:12");
    state.now += 59_999;
    await resolve("debian:12");
    expect(asked).toHaveLength(1);
    state.now += 2;
    await resolve("debian:12");
    expect(asked).toHaveLength(2);
    state.now += 1e9;
    await resolve(`debian@${digest}`);
    expect(asked).toHaveLength(2);
  });

  test("createCachingImageResolver() keeps platforms apart", async () => {
    const { asked, resolve } = setup();
    await resolve("debian:12");
    await resolve("debian:12", parsePlatform("linux/arm64"));
    expect(asked).toHaveLength(2);
  });

  test.each([
    [Code.NotFound, 1],
    [Code.PermissionDenied, 1],
    [Code.InvalidArgument, 1],
    [Code.Unavailable, 2],
    [Code.Unauthenticated, 2],
    [Code.Cancelled, 2],
    [Code.DataLoss, 2],
  ])(
    "createCachingImageResolver() asks again after failure %d: %d requests",
    async (code, requests) => {
      const { asked, state, resolve } = setup();
      const failure = new StatusError(code, "no");
      state.failure = failure;
      await expect(resolve("debian:12")).rejects.toBe(failure);
      await expect(resolve("debian:12")).rejects.toBe(failure);
      expect(asked).toHaveLength(requests);
      state.failure = undefined;
      state.now += 10_001;
      await resolve("debian:12");
      expect(asked).toHaveLength(requests + 1);
    },
  );

  test("createCachingImageResolver() stays within its bytes", async () => {
    const { asked, resolve } = setup({ maximumBytes: 10_000 });
    for (let i = 0; i < 10; i += 1) await resolve(`a/b${i}@${digest}`);
    await resolve(`a/b9@${digest}`);
    expect(asked).toHaveLength(10);
    await resolve(`a/b0@${digest}`);
    expect(asked).toHaveLength(11);
  });

  test("createCachingImageResolver() keeps no tag when told so", async () => {
    const { asked, resolve } = setup({ tagLifetimeMs: 0 });
    await resolve("debian:12");
    await resolve("debian:12");
    expect(asked).toHaveLength(2);
  });
});
