import { beforeEach, describe, expect, test } from "@jest/globals";
import { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { InMemoryActionCache } from "../../../lib/action-cache/index.js";
import { InMemoryContentAddressableStorage } from "../../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { findCachedResult } from "./find-cached-result.js";

const context = { instanceName: parseInstanceName("jobs") };
const action = Digest.of(Buffer.from("action"));
let actionCache: InMemoryActionCache;
let cas: InMemoryContentAddressableStorage;

beforeEach(() => {
  actionCache = new InMemoryActionCache({ maximumResults: 10 });
  cas = new InMemoryContentAddressableStorage({ maximumSizeBytes: 2 ** 20 });
});

/** A result with all kinds of blobs; those that are named are not in CAS. */
async function store(missing: string, exitCode = 0): Promise<ActionResult> {
  const digest = async (text: string) => {
    const data = Buffer.from(text);
    if (text !== missing) await cas.write(data);
    return Digest.of(data).toProto();
  };
  const result = ActionResult.fromPartial({
    exitCode,
    stdoutDigest: await digest("stdout"),
    stderrDigest: await digest("stderr"),
    outputFiles: [{ path: "outputs/0", digest: await digest("file") }],
    outputDirectories: [
      {
        path: "outputs/1",
        treeDigest: await digest("tree"),
        rootDirectoryDigest: await digest("root"),
      },
    ],
  });
  await actionCache.put(action, result, context);
  return result;
}

const find = () => findCachedResult({ actionCache, cas }, action, context);

describe("findCachedResult()", () => {
  test("gives a result whose blobs are there", async () => {
    expect(await find()).toBeUndefined();
    const result = await store("none");
    expect(await find()).toEqual(result);
  });

  test.each(["stdout", "stderr", "file", "tree", "root"])(
    "gives none whose %s is not in CAS any more",
    async (missing) => {
      await store(missing);
      expect(await find()).toBeUndefined();
    },
  );

  test("gives none of an action that failed", async () => {
    await store("none", 1);
    expect(await find()).toBeUndefined();
  });

  test("asks no cache that is not ours to ask, and fails without one", async () => {
    const answer = (code: Code) => ({
      cas,
      actionCache: {
        get: async () => {
          throw new StatusError(code, "no");
        },
        put: async () => {},
      },
    });
    for (const code of [Code.PermissionDenied, Code.Unimplemented]) {
      const found = findCachedResult(answer(code), action, context);
      expect(await found).toBeUndefined();
    }
    await expect(
      findCachedResult(answer(Code.Unavailable), action, context),
    ).rejects.toMatchObject({ code: Code.Unavailable });
  });
});
