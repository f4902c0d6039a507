import { expect, test } from "@jest/globals";
import { actionOf } from "../../test/fixtures/route-scenario.js";
import {
  Digest,
  type InstanceName,
  parseInstanceName,
} from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";
import { openAction } from "./open-action.js";
import type { RoutedAction } from "./routed-action.js";
import { createUnderstanding } from "./understand.js";

const main = parseInstanceName("main");

/** An action before anything of it is understood; `command` tells it apart. */
function actionWith(
  properties: Readonly<Record<string, string>>,
  command = "",
  instanceName: InstanceName = main,
): RoutedAction {
  const action = actionOf(Digest.of(Buffer.from(command)), properties);
  return openAction(action, instanceName, {
    read: () => Promise.reject(new Error("It is not asked for")),
  });
}

/** A reading that takes all properties off, and how often it was made. */
function countedReading() {
  let readings = 0;
  return {
    count: () => readings,
    read: (routed: RoutedAction): RoutedAction => {
      readings++;
      const user = routed.properties.find(({ name }) => name === "user")?.value;
      return { ...routed, properties: [], place: { kind: "worker" }, user };
    },
  };
}

test("createUnderstanding() reads equal platforms of an instance name once", () => {
  const { read, count } = countedReading();
  const understand = createUnderstanding(read);
  const first = understand(actionWith({ user: "a" }, "1"));
  const second = understand(actionWith({ user: "a" }, "2"));
  expect(count()).toBe(1);
  expect(second.user).toBe("a");
  expect(second.properties).toEqual([]);
  expect(second.place).toEqual({ kind: "worker" });
  // All else is the action's own.
  expect(
    [first, second].map(({ action }) => action.commandDigest?.hash),
  ).toEqual(["1", "2"].map((command) => Digest.of(Buffer.from(command)).hash));
});

test("createUnderstanding() tells platforms and instance names apart", () => {
  const { read, count } = countedReading();
  const understand = createUnderstanding(read);
  const users = [
    understand(actionWith({ user: "a" })),
    understand(actionWith({ user: "b" })),
    understand(actionWith({ user: "a", b: "" })),
    understand(actionWith({ user: 'a","value":"' })),
    understand(actionWith({ user: "a" }, "", parseInstanceName("other"))),
  ].map(({ user }) => user);
  expect(users).toEqual(["a", "b", "a", 'a","value":"', "a"]);
  expect(count()).toBe(5);
});

test("createUnderstanding() refuses anew, and keeps no platform of megabytes", () => {
  let readings = 0;
  const understand = createUnderstanding((routed) => {
    readings++;
    if (routed.properties.some(({ name }) => name === "bad")) {
      throw new StatusError(Code.InvalidArgument, "bad");
    }
    return routed;
  });
  for (const _ of [1, 2]) {
    expect(() => understand(actionWith({ bad: "" }))).toThrow("bad");
    understand(actionWith({ large: "x".repeat(2 ** 20) }));
  }
  expect(readings).toBe(4);
});
