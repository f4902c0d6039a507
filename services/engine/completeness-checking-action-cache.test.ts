import { expect, test } from "@jest/globals";
import {
  ActionResult,
  Tree,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { InMemoryActionCache } from "../../lib/action-cache/index.js";
import { InMemoryContentAddressableStorage } from "../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import { CompletenessCheckingActionCache } from "./completeness-checking-action-cache.js";

const context = { instanceName: parseInstanceName("") };
const action = Digest.of(Buffer.from("action"));

/** A result that names five blobs, one of them inside of a Tree. */
async function setupResult() {
  const cas = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 20,
  });
  const cache = new CompletenessCheckingActionCache(
    new InMemoryActionCache({ maximumResults: 10 }),
    cas,
  );
  const store = (text: string) => cas.write(Buffer.from(text));
  const [file, inner, out, err] = await Promise.all(
    ["file", "inner", "out", "err"].map(store),
  );
  const tree = await cas.write(
    Tree.encode(
      Tree.fromPartial({
        root: { directories: [{ name: "d", digest: action.toProto() }] },
        children: [{ files: [{ name: "f", digest: inner?.toProto() }] }],
      }),
    ).finish(),
  );
  const result = ActionResult.fromPartial({
    outputFiles: [{ path: "file", digest: file?.toProto() }],
    outputDirectories: [{ path: "d", treeDigest: tree.toProto() }],
    stdoutDigest: out?.toProto(),
    stderrDigest: err?.toProto(),
  });
  await cache.put(action, result, context);
  return { cas, cache, result, blobs: { file, inner, out, err, tree } };
}

test("CompletenessCheckingActionCache gives what is whole", async () => {
  const { cache, result } = await setupResult();
  expect(await cache.get(action, context)).toBe(result);
});

test.each(["file", "inner", "out", "err", "tree"] as const)(
  "CompletenessCheckingActionCache holds back a result without blob %s",
  async (name) => {
    const { cas, cache, blobs } = await setupResult();
    const digest = blobs[name];
    if (digest !== undefined) cas.delete(digest);
    expect(await cache.get(action, context)).toBeUndefined();
  },
);

test("CompletenessCheckingActionCache takes malformed results for none", async () => {
  const { cas, cache } = await setupResult();
  const noTree = (await cas.write(Buffer.from([0xff]))).toProto();
  for (const claim of [
    { outputFiles: [{ path: "f", digest: { hash: "../..", sizeBytes: 1 } }] },
    { outputDirectories: [{ path: "d", treeDigest: noTree }] },
  ]) {
    await cache.put(action, ActionResult.fromPartial(claim), context);
    expect(await cache.get(action, context)).toBeUndefined();
  }
});
