import { describe, expect, test } from "@jest/globals";
import { parseImageList } from "./parse-image-list.js";

const digest = `sha256:${"a".repeat(64)}`;
const tree = `cas://${"b".repeat(64)}/12`;

describe("parseImageList()", () => {
  test.each([
    [`debian@${digest}`, [`docker.io/library/debian@${digest}`]],
    [
      `debian@${digest} + ${tree}`,
      [`docker.io/library/debian@${digest}`, tree],
    ],
    [`${tree}+docker://gcc:12`, [tree, "docker.io/library/gcc:12"]],
  ])("parseImageList() reads %s", (text, references) => {
    const parsed = parseImageList(text, { allowCas: true });
    expect(parsed.map(String)).toEqual(references);
  });

  test.each([
    ["a +", "must name an image"],
    ["a++b", "must name an image"],
    ["a b", "without spaces"],
    [Array.from({ length: 17 }, () => "a").join("+"), "At most 16 images"],
    [`a+${tree}`, "CAS trees are not allowed here"],
  ])("parseImageList() refuses %s", (text, message) => {
    expect(() => parseImageList(text)).toThrow(message);
  });
});
