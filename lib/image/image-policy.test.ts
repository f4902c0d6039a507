import { describe, expect, test } from "@jest/globals";
import { parseInstanceName } from "../digest/index.js";
import { Code } from "../status/index.js";
import { createImagePolicy, parseImageReference } from "./index.js";

function isAllowed(patterns: readonly string[], text: string): boolean {
  const policy = createImagePolicy([
    { instanceNamePrefix: "", images: patterns },
  ]);
  try {
    policy.check(parseInstanceName("main"), parseImageReference(text));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: Code.PermissionDenied });
    return false;
  }
}

describe("createImagePolicy()", () => {
  test.each([
    ["docker.io/library/*", "debian:12", true],
    ["docker.io/library/*", "someone/debian", false],
    ["docker.io/library/*", "ghcr.io/library/debian", false],
    ["docker.io/library/*", "docker.io/library/a/b", false],
    ["good.example/**", "good.example/a/b/c", true],
    ["GOOD.example:443/**", "good.example/a", true],
    ["good.example/team-*/tools/*", "good.example/team-a/tools/x", true],
    ["good.example/a.b", "good.example/axb", false],
    ["good.example/a", "good.example/ab", false],
    // Look-alikes of a listed host (B12).
    ["good.example/**", "good.example.evil.test/a", false],
    ["good.example/**", "evil-good.example/a", false],
    ["good.example/**", "good.example:8443/a", false],
    ["good.example/**", "evil.test/good.example/a", false],
    ["*.good.example/**", "a.good.example/x", true],
    ["*.good.example/**", "good.example/x", false],
    ["*.good.example/**", "a.b.good.example/x", false],
    ["*.good.example/**", "evilgood.example/x", false],
    // Wildcards never reach this machine or its network (B12).
    ["**", "ghcr.io/a/b", true],
    ["**", "127.0.0.1:5055/a", false],
    ["**", "169.254.169.254/a", false],
    ["**", "[::1]:5000/a", false],
    ["**", "localhost/a", false],
    ["**", "registry:5000/a", false],
    ["127.0.0.1:5055/**", "127.0.0.1:5055/a", true],
    ["127.0.0.1:5055/**", "127.0.0.1:5056/a", false],
    ["localhost/**", "localhost/a", true],
  ])("createImagePolicy() with %s and %s: %s", (pattern, text, expected) => {
    expect(isAllowed([pattern], text)).toBe(expected);
    expect(isAllowed(["nowhere.example/x", pattern], text)).toBe(expected);
  });

  test.each([
    "debian",
    "library/*",
    "",
    "/x",
    "good.example",
    "good.example/",
    "good.example/A",
    "good.example/(a|b)",
    "*good.example/x",
    "*.*.example/x",
    "good.*/x",
    "127.1/x",
  ])("createImagePolicy() refuses the pattern %j", (pattern) => {
    expect(() => isAllowed([pattern], "debian")).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument }),
    );
  });

  test("createImagePolicy() counts the longest prefix of whole components alone", () => {
    const policy = createImagePolicy([
      { instanceNamePrefix: "", images: ["docker.io/library/*"] },
      { instanceNamePrefix: "team/a", images: ["a.example/**"] },
    ]);
    const check = (instance: string, text: string) => () =>
      policy.check(parseInstanceName(instance), parseImageReference(text));
    check("", "debian")();
    check("team/ab", "debian")();
    check("team/a", "a.example/x")();
    check("team/a/sub", "a.example/x")();
    expect(check("team/a", "debian:12")).toThrow(
      expect.objectContaining({
        code: Code.PermissionDenied,
        message:
          'Image "docker.io/library/debian:12" is not allowed for instance name "team/a": allowed are "a.example/**"',
      }),
    );
    expect(check("team", "a.example/x")).toThrow("is not allowed");
  });

  test("createImagePolicy() allows nothing without a rule", () => {
    const policy = createImagePolicy([
      { instanceNamePrefix: "a", images: ["**"] },
    ]);
    expect(() =>
      policy.check(parseInstanceName("b"), parseImageReference("debian")),
    ).toThrow(
      'Image "docker.io/library/debian:latest" is not allowed for instance name "b": the image policy has no rule for it',
    );
    expect(() =>
      createImagePolicy([
        { instanceNamePrefix: "a", images: [] },
        { instanceNamePrefix: "a", images: [] },
      ]),
    ).toThrow('Image policy has two rules for instance name prefix "a"');
  });

  test("createImagePolicy() allows layouts beneath listed directories, and CAS trees, only if told", () => {
    const options = { allowLayouts: true, allowCas: true };
    const instance = parseInstanceName("");
    const layout = (path: string) => parseImageReference(path, options);
    const tree = parseImageReference(`cas://${"a".repeat(64)}/1`, options);
    const closed = createImagePolicy([
      { instanceNamePrefix: "", images: ["**"] },
    ]);
    const open = createImagePolicy([
      {
        instanceNamePrefix: "",
        images: [],
        layoutDirectories: ["/srv/images"],
        allowCas: true,
      },
    ]);
    open.check(instance, tree);
    open.check(instance, layout("oci:/srv/images/debian:12"));
    open.check(instance, layout("oci:/srv/images"));
    for (const [policy, reference] of [
      [closed, tree],
      [closed, layout("oci:/srv/images/debian")],
      [open, layout("oci:/srv/images-of-others/debian")],
      [open, layout("oci:/etc")],
      [open, parseImageReference("debian")],
    ] as const) {
      expect(() => policy.check(instance, reference)).toThrow(
        expect.objectContaining({ code: Code.PermissionDenied }),
      );
    }
  });
});

test("createImagePolicy() says what wildcards leave out", () => {
  const policy = createImagePolicy([
    { instanceNamePrefix: "", images: ["**"] },
  ]);
  const reference = parseImageReference("127.0.0.1:5000/x");
  expect(() => policy.check(parseInstanceName(""), reference)).toThrow(
    'Image "127.0.0.1:5000/x:latest" is not allowed for instance name "": allowed are "**" (wildcards leave out addresses and names without a dot: write this host out)',
  );
});
