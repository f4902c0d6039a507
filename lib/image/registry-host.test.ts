import { describe, expect, test } from "@jest/globals";
import { Code } from "../status/index.js";
import { isRegistryHost, parseRegistryHost } from "./registry-host.js";

describe("parseRegistryHost()", () => {
  test.each([
    ["ghcr.io", "ghcr.io"],
    ["GHCR.IO:443", "ghcr.io"],
    ["registry:443", "registry:443"],
    ["localhost:443", "localhost"],
    ["registry", "registry"],
    ["a-b.example:5000", "a-b.example:5000"],
    ["docker.io", "docker.io"],
    ["docker.io:5000", "docker.io:5000"],
    ["index.docker.io", "docker.io"],
    ["10.0.0.1:80", "10.0.0.1:80"],
    ["[2001:DB8:0:0::1]:443", "[2001:db8::1]"],
    ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ])("parseRegistryHost() makes %s canonical as %s", (text, expected) => {
    expect(parseRegistryHost(text)).toBe(expected);
    expect(parseRegistryHost(expected)).toBe(expected);
  });

  test.each([
    "",
    ":5000",
    "a:",
    "a:0",
    "a:65536",
    "a:-1",
    "a:b",
    "a.",
    "a..b",
    ".a",
    "-a.example",
    "a-.example",
    "a_b.example",
    "user@a.example",
    "a.example/b",
    "bücher.example",
    "2130706433",
    "0x7f000001",
    "127.1",
    "1.2.3.4.5",
    "127.0.0.256",
    "[::1",
    "::1",
    "[127.0.0.1]",
    "[fe80::1%25eth0]",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(130)}example`,
  ])("parseRegistryHost() refuses %j", (text) => {
    expect(() => parseRegistryHost(text)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        message: expect.stringMatching(/^Registry must be .*current value is/),
      }),
    );
  });
});

test("isRegistryHost() tells a host from the beginning of a repository", () => {
  for (const host of ["a.b", "a:1", "localhost", "LocalHost", "[::1]"]) {
    expect(isRegistryHost(host)).toBe(true);
  }
  for (const name of ["library", "localhost-a", "a"]) {
    expect(isRegistryHost(name)).toBe(false);
  }
});
