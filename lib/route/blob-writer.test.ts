import { expect, test } from "@jest/globals";
import { InMemoryContentAddressableStorage } from "../cas/index.js";
import { Digest, parseInstanceName } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { createBlobWriter } from "./index.js";

const data = Buffer.from("command");
const command = { data, digest: Digest.of(data) };
const one = parseInstanceName("one");
const two = parseInstanceName("two");

function setup(knownPresentMs = 1_000) {
  const cas = new InMemoryContentAddressableStorage({
    maximumSizeBytes: 10_000,
  });
  const lookups: string[] = [];
  const clock = { now: 5 };
  const writer = createBlobWriter({
    cas,
    knownPresentMs,
    maximumKnown: 10,
    onLookup: (result) => lookups.push(result),
    now: () => clock.now,
  });
  return { cas, lookups, clock, writer };
}

test("BlobWriter leaves out what it wrote a short while ago", async () => {
  const { cas, lookups, clock, writer } = setup();
  await writer.write(command, one);
  cas.delete(command.digest);
  clock.now += 999;
  await writer.write(command, one);
  expect(await cas.findMissing([command.digest])).toHaveLength(1);
  clock.now += 2;
  await writer.write(command, one);
  expect(await cas.read(command.digest)).toEqual(data);
  expect(lookups).toEqual(["miss", "hit", "miss"]);
});

test("BlobWriter knows each instance name by itself", async () => {
  const { lookups, writer } = setup();
  await writer.write(command, one);
  await writer.write(command, two);
  expect(lookups).toEqual(["miss", "miss"]);
});

test("BlobWriter takes nothing for known where that is turned off", async () => {
  const { lookups, writer } = setup(0);
  await writer.write(command, one);
  await writer.write(command, one);
  expect(lookups).toEqual(["miss", "miss"]);
});

test("BlobWriter remembers only what CAS took", async () => {
  const { cas, writer } = setup();
  const base = cas.write.bind(cas);
  cas.write = () =>
    Promise.reject(new StatusError(Code.ResourceExhausted, "disk full"));
  await expect(writer.write(command, one)).rejects.toMatchObject({
    code: Code.ResourceExhausted,
    message: `Failed to store rewritten blob "${command.digest}": disk full`,
  });
  cas.write = base;
  await writer.write(command, one);
  expect(await cas.read(command.digest)).toEqual(data);
});
