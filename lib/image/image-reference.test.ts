import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Code, toStatusError } from "../status/index.js";
import { parseImageReference } from "./index.js";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}`;

function textOfError(text: string, options = {}): string {
  try {
    parseImageReference(text, options);
  } catch (error) {
    const { code, message } = toStatusError(error);
    expect(code).toBe(Code.InvalidArgument);
    return message;
  }
  throw new Error(`"${text}" was taken`);
}

describe("parseImageReference()", () => {
  test.each([
    ["debian", "docker.io/library/debian:latest"],
    ["library/debian", "docker.io/library/debian:latest"],
    ["docker.io/debian", "docker.io/library/debian:latest"],
    ["docker.io/library/debian:latest", "docker.io/library/debian:latest"],
    ["index.docker.io/library/debian", "docker.io/library/debian:latest"],
    ["registry-1.docker.io:443/debian", "docker.io/library/debian:latest"],
    ["docker://debian:12", "docker.io/library/debian:12"],
    ["user/tool", "docker.io/user/tool:latest"],
    [`debian:12@${digest}`, `docker.io/library/debian@${digest}`],
    [`docker://ghcr.io/a/b@${digest}`, `ghcr.io/a/b@${digest}`],
    ["GHCR.io:443/a/b:T", "ghcr.io/a/b:T"],
    ["Registry:443/a", "registry:443/a:latest"],
    ["ghcr.io:80/a", "ghcr.io:80/a:latest"],
    ["localhost/a", "localhost/a:latest"],
    ["127.0.0.1:5000/a__b/c--d.e", "127.0.0.1:5000/a__b/c--d.e:latest"],
    ["[0:0::1]:5000/a", "[::1]:5000/a:latest"],
    ["a/b", "docker.io/a/b:latest"],
    ["x", "docker.io/library/x:latest"],
  ])("parseImageReference() makes %s canonical", (text, canonical) => {
    const reference = parseImageReference(text);
    expect(String(reference)).toBe(canonical);
    expect(String(parseImageReference(canonical))).toBe(canonical);
  });

  test("parseImageReference() keeps the tag beside the digest, to be shown", () => {
    expect(parseImageReference(`debian:12@${digest}`)).toMatchObject({
      kind: "registry",
      registry: "docker.io",
      repository: "library/debian",
      tag: "12",
      digest,
    });
  });

  test.each([
    [
      "",
      'Image reference must name an image, such as "docker.io/library/debian@sha256:…": current value is ""',
    ],
    [
      "a b",
      'Image reference must consist of printable ASCII without spaces: current value is "a b"',
    ],
    [
      "a\nACQUIRE b",
      'Image reference must consist of printable ASCII without spaces: current value is "a\\nACQUIRE b"',
    ],
    [
      "docker://docker://debian",
      'Image reference must not hold "docker://" before the registry: current value is "docker://docker://debian"',
    ],
    [
      "https://ghcr.io/a",
      'Image reference must not hold "https://" before the registry: current value is "https://ghcr.io/a"',
    ],
    [
      "Debian",
      'Repository of image reference must be lower-case letters and digits, separated by ".", "_", "-" or "/", 255 characters at most with its registry: current value is "Debian"',
    ],
    [
      "ghcr.io/a//b",
      'Repository of image reference must be lower-case letters and digits, separated by ".", "_", "-" or "/", 255 characters at most with its registry: current value is "a//b"',
    ],
    [
      "debian@md5:d41d8cd98f00b204e9800998ecf8427e",
      'Digest of image reference must be "sha256:" and 64 lower-case hexadecimal digits: current value is "md5:d41d8cd98f00b204e9800998ecf8427e"',
    ],
    [
      "debian@sha256:abc",
      'Digest of image reference must be "sha256:" and 64 lower-case hexadecimal digits: current value is "sha256:abc"',
    ],
    [
      "debian@sha256:../../x",
      'Digest of image reference must be "sha256:" and 64 lower-case hexadecimal digits: current value is "sha256:../../x"',
    ],
    [
      "ghcr.io./a",
      'Registry must be a host without a final dot: current value is "ghcr.io."',
    ],
    [
      "127.1/a",
      'Registry must be a host name, or an IPv4 address as four decimal numbers: current value is "127.1"',
    ],
    [
      "evil.0x7f/a",
      'Registry must be a host name, or an IPv4 address as four decimal numbers: current value is "evil.0x7f"',
    ],
    [
      "127.0.0.01/a",
      'Registry must be a host name, or an IPv4 address as four decimal numbers: current value is "127.0.0.01"',
    ],
    [
      "a.example:99999/b",
      'Registry must be a port from 1 to 65535 after the colon: current value is "a.example:99999"',
    ],
    [
      "a.example:080/b",
      'Registry must be a port from 1 to 65535 after the colon: current value is "a.example:080"',
    ],
    [
      "user@evil.example/b",
      'Digest of image reference must be "sha256:" and 64 lower-case hexadecimal digits: current value is "evil.example/b"',
    ],
    [
      "[fe80::1%eth0]/b",
      'Registry must be an IPv6 address within the brackets: current value is "[fe80::1%eth0]"',
    ],
    [
      "debian:-x",
      'Tag of image reference must be 1 to 128 letters, digits, ".", "_" or "-", not beginning with "." or "-": current value is "-x"',
    ],
    [
      "oci:/images/debian",
      'Image reference must name an image in a registry, layouts are not allowed here: current value is "oci:/images/debian"',
    ],
    [
      `cas://${hex}/7`,
      `Image reference must name an image in a registry, CAS trees are not allowed here: current value is "cas://${hex}/7"`,
    ],
  ])(
    "parseImageReference() refuses %j and says what to change (B14)",
    (text, message) => {
      expect(textOfError(text)).toBe(message);
    },
  );

  test("parseImageReference() refuses upper-case digests (B14)", () => {
    expect(textOfError(`debian@sha256:${hex.toUpperCase()}`)).toContain(
      "64 lower-case hexadecimal digits",
    );
    expect(textOfError(`debian@SHA256:${hex}`)).toContain("sha256:");
  });

  test("parseImageReference() refuses 64 KiB without echoing them (B14)", () => {
    expect(textOfError("a".repeat(65536))).toBe(
      `Image reference must have 1024 characters at most: current value is "${"a".repeat(120)}" and 65416 characters more`,
    );
    expect(textOfError(`${"a/".repeat(200)}b`)).toContain("255 characters");
  });

  test("parseImageReference() refuses a tag alone where a digest is required (B14)", () => {
    const options = { requireDigest: true };
    expect(textOfError("debian:12", options)).toBe(
      'Image reference must name a digest ("…@sha256:…"), a tag is not enough: current value is "debian:12"',
    );
    const pinned = parseImageReference(`debian@${digest}`, options);
    expect(String(pinned)).toBe(`docker.io/library/debian@${digest}`);
  });

  test.each([
    ["oci:/srv/images/debian", "oci:/srv/images/debian"],
    ["oci:/srv/images/debian:12", "oci:/srv/images/debian:12"],
    [`oci:/srv/a:12@${digest}`, `oci:/srv/a@${digest}`],
  ])(
    "parseImageReference() takes layout %s where allowed",
    (text, canonical) => {
      const reference = parseImageReference(text, { allowLayouts: true });
      expect(reference.kind).toBe("layout");
      expect(String(reference)).toBe(canonical);
    },
  );

  test.each([
    "oci:/a/../etc",
    "oci:/a/./b",
    "oci:/a//b",
    "oci:/",
    "oci:/a/",
    "oci:/a:b:c",
  ])("parseImageReference() refuses layout %s", (text) => {
    expect(textOfError(text, { allowLayouts: true })).toBe(
      `Image layout must be named as oci:/absolute/path[:tag][@digest], without "." or ".." in the path: current value is "${text}"`,
    );
  });

  test("parseImageReference() takes a CAS tree where allowed", () => {
    const options = { allowCas: true };
    const reference = parseImageReference(`cas://${hex}/70`, options);
    expect(String(reference)).toBe(`cas://${hex}/70`);
    expect(reference).toMatchObject({
      kind: "cas",
      directoryDigest: { hash: hex, sizeBytes: 70 },
    });
    for (const bad of [`${hex}`, `${hex}/-1`, `${hex}/01`, `x/1`]) {
      expect(textOfError(`cas://${bad}`, options)).toContain("Tree in CAS");
    }
  });

  test("parseImageReference() gives a canonical form that parses to itself, or InvalidArgument", () => {
    const part = fc.constantFrom(
      ..."a B . : / @ - _ [ ] % 0 127 :443 sha256: docker.io/ docker:// oci:/ cas://".split(
        " ",
      ),
      digest,
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        let reference: string;
        const options = { allowLayouts: true, allowCas: true };
        try {
          reference = String(parseImageReference(parts.join(""), options));
        } catch (error) {
          return toStatusError(error).code === Code.InvalidArgument;
        }
        return String(parseImageReference(reference, options)) === reference;
      }),
      { numRuns: 2000 },
    );
  });
});
