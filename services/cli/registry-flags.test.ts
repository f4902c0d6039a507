import { expect, test } from "@jest/globals";
import { Code } from "../../lib/status/index.js";
import { parseImageSettings } from "./image/image-settings.js";
import { parseRegistryFlags } from "./registry-flags.js";
import { parseRunSettings } from "./run/run-settings.js";
import { parseUpSettings } from "./up/up-settings.js";

const none = { registry: [], "plain-http": [], mirror: [] };

test.each([
  ["--registry", "http://x", "--registry is wrong: Registry must be host"],
  ["--plain-http", "", "--plain-http is wrong: Registry must be"],
  ["--mirror", "docker.io", "--mirror must be HOST=MIRROR"],
  ["--mirror", "a.test=b.test=c", "--mirror must be HOST=MIRROR"],
  ["--mirror", "a.test=http://b", "--mirror is wrong: Registry must be host"],
])(
  "parseRegistryFlags() refuses %s %j for every command",
  (flag, value, text) => {
    const flags = [flag, value];
    for (const [command, parse] of [
      ["up", () => parseUpSettings(flags, {})],
      ["run", () => parseRunSettings([...flags, "x", "--", "true"])],
      ["image", () => parseImageSettings([...flags, "x"], ["image"])],
    ] as const) {
      expect(parse).toThrow(
        expect.objectContaining({
          code: Code.InvalidArgument,
          message: expect.stringMatching(
            `^${text}.*: see "berth help ${command}"$`,
          ),
        }),
      );
    }
  },
);

test("parseRegistryFlags() gives hosts as the services know them", () => {
  const mirror = ["index.docker.io=Cache.test:443", "a.test=127.0.0.1:5000"];
  expect(
    parseRegistryFlags("up", {
      ...none,
      registry: ["Private.test"],
      mirror,
      "docker-config": "/file",
    }),
  ).toEqual({
    registries: ["private.test"],
    plainRegistries: [],
    mirrors: [
      { of: "docker.io", mirror: "cache.test" },
      { of: "a.test", mirror: "127.0.0.1:5000" },
    ],
    dockerConfig: "/file",
  });
});
