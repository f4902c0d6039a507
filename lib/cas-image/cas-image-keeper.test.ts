import { describe, expect, test } from "@jest/globals";
import {
  type Fault,
  FaultyContentAddressableStorage,
  InMemoryContentAddressableStorage,
} from "../cas/index.js";
import { type Digest, parseInstanceName } from "../digest/index.js";
import { encodeDirectory } from "../merkle-tree/index.js";
import { Code, StatusError } from "../status/index.js";
import {
  CasImageKeeper,
  createComposedOrigin,
  createTreeOrigin,
  type ImageOrigin,
  type KeepContext,
} from "./index.js";

const minute = 60_000;
const caller: KeepContext = {
  instanceName: parseInstanceName(""),
  signal: new AbortController().signal,
  suspectsEviction: false,
};
const suspicious = { ...caller, suspectsEviction: true };

/** A tree of one directory and two files, and a keeper of it. */
async function setup() {
  const base = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 2 ** 20,
  });
  const faults = new Map<string, Fault>();
  const cas = new FaultyContentAddressableStorage(base, faults);
  const events: string[] = [];
  const errors: unknown[] = [];
  const clock = { nowMs: 0 };
  let asked = 0;
  const findMissing = cas.findMissing.bind(cas);
  cas.findMissing = (digests, context) => {
    asked++;
    return findMissing(digests, context);
  };
  const store = async (name: string, below?: Digest) => {
    const content = await base.write(Buffer.from(`content of ${name}`));
    const { data, digest } = encodeDirectory({
      files: [
        {
          name,
          digest: content.toProto(),
          isExecutable: false,
          nodeProperties: undefined,
        },
      ],
      directories:
        below === undefined ? [] : [{ name: "below", digest: below.toProto() }],
    });
    await base.write(data);
    return { digest, content };
  };
  const inner = await store("inner");
  const outer = await store("outer", inner.digest);
  let repairs = 0;
  /** An origin that can put back what was lost. */
  const origin: ImageOrigin = {
    ...createTreeOrigin(outer.digest),
    repair: async () => {
      repairs++;
      faults.clear();
      const rootDigest = outer.digest;
      return { rootDigest, digests: undefined, isConfirmed: true };
    },
  };
  const keeper = new CasImageKeeper({
    cas,
    confirmedForMs: 10 * minute,
    repairIntervalMs: 1 * minute,
    failureLifetimeMs: 1_000,
    maximumImages: 10,
    onEvent: (event) => events.push(event),
    onError: (error) => errors.push(error),
    now: () => clock.nowMs,
  });
  return {
    ...{ keeper, origin, faults, events, errors, clock, cas, store },
    ...{ inner, outer, asked: () => asked, repairs: () => repairs },
  };
}

describe("CasImageKeeper", () => {
  test("CasImageKeeper confirms a tree once, then gives it without asking", async () => {
    const { keeper, origin, asked, events, outer } = await setup();
    const all = await Promise.all(
      Array.from({ length: 10 }, () => keeper.get(origin, caller)),
    );
    expect(new Set(all).size).toBe(1);
    expect(all[0]?.rootDigest).toEqual(outer.digest);
    expect(all[0]?.root.directories).toHaveLength(1);
    await keeper.get(origin, caller);
    expect(asked()).toBe(1);
    expect(events).toEqual(["found"]);
  });

  test("CasImageKeeper asks again in good time, without a wait", async () => {
    const { keeper, origin, asked, clock, events } = await setup();
    await keeper.get(origin, caller);
    clock.nowMs = 4 * minute;
    await keeper.get(origin, caller);
    expect(asked()).toBe(1);
    clock.nowMs = 6 * minute;
    await keeper.get(origin, caller);
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked()).toBe(2);
    clock.nowMs = 11 * minute - 1;
    await keeper.get(origin, caller);
    expect(events.slice(0, 2)).toEqual(["found", "confirmed"]);
  });

  test("CasImageKeeper lets a caller go who leaves while it asks", async () => {
    const { keeper, origin, clock, cas } = await setup();
    await keeper.get(origin, caller);
    clock.nowMs = 10 * minute;
    cas.findMissing = () => new Promise(() => {}); // CAS hangs
    const controller = new AbortController();
    // As the router has it: the signal is made when it is asked for.
    class LeavingCaller implements KeepContext {
      readonly instanceName = caller.instanceName;
      readonly suspectsEviction = false;
      get signal(): AbortSignal {
        return controller.signal;
      }
    }
    const waiting = keeper.get(origin, new LeavingCaller());
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: Code.Cancelled });
  });

  test.each(["file", "Directory", "root"])(
    "CasImageKeeper has a tree repaired whose %s is gone when it is due",
    async (what) => {
      const { keeper, origin, faults, clock, events, inner, outer } =
        await setup();
      await keeper.get(origin, caller);
      const lost = { file: inner.content, Directory: inner.digest }[what];
      faults.set((lost ?? outer.digest).key, { type: "missing" });
      await keeper.get(origin, caller);
      expect(events).toEqual(["found"]);
      clock.nowMs = 10 * minute;
      await keeper.get(origin, caller);
      expect(events).toEqual(["found", "repaired", "confirmed"]);
    },
  );

  test("CasImageKeeper follows a sign of eviction once per interval", async () => {
    const { keeper, origin, faults, clock, repairs, asked, inner } =
      await setup();
    await keeper.get(origin, caller);
    faults.set(inner.content.key, { type: "missing" });
    await keeper.get(origin, suspicious);
    expect(repairs()).toBe(1);
    faults.set(inner.content.key, { type: "missing" });
    await keeper.get(origin, suspicious);
    expect(repairs()).toBe(1);
    clock.nowMs = minute;
    const before = asked();
    await Promise.all([1, 2, 3].map(() => keeper.get(origin, suspicious)));
    expect(repairs()).toBe(2);
    expect(asked()).toBe(before + 1);
  });

  test("CasImageKeeper refuses a tree of a client that is not whole", async () => {
    const { keeper, faults, inner, outer } = await setup();
    faults.set(inner.content.key, { type: "missing" });
    const origin = createTreeOrigin(outer.digest);
    await expect(keeper.get(origin, caller)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Tree "cas://${outer.digest}" lacks 1 of its blobs in CAS: upload it again`,
    });
    faults.clear();
    await keeper.get(origin, caller);
  });

  test("CasImageKeeper keeps instance names apart", async () => {
    const { keeper, origin, asked } = await setup();
    await keeper.get(origin, caller);
    const instanceName = parseInstanceName("other");
    await keeper.get(origin, { ...caller, instanceName });
    expect(asked()).toBe(2);
  });

  test("CasImageKeeper remembers for a moment what cannot be made", async () => {
    const { keeper, origin } = await setup();
    let finds = 0;
    const failing = (code: Code): ImageOrigin => ({
      ...origin,
      key: `failing ${code}`,
      find: async () => {
        finds++;
        throw new StatusError(code, "no");
      },
    });
    for (const code of [Code.InvalidArgument, Code.Unavailable]) {
      for (const _ of [1, 2]) {
        const got = keeper.get(failing(code), caller);
        await expect(got).rejects.toMatchObject({ code });
      }
    }
    expect(finds).toBe(3);
  });

  test("CasImageKeeper repairs composed trees", async () => {
    const { keeper, cas, faults, clock, store, outer } = await setup();
    const above = await store("above", (await store("deep")).digest);
    const origin = createComposedOrigin([outer.digest, above.digest], cas);
    const { rootDigest, root } = await keeper.get(origin, caller);
    expect(root.files.map(({ name }) => name)).toEqual(["above", "outer"]);
    faults.set(rootDigest.key, { type: "lost" });
    clock.nowMs = 10 * minute;
    expect((await keeper.get(origin, caller)).rootDigest).toEqual(rootDigest);
    expect(faults.size).toBe(0);
  });
});
