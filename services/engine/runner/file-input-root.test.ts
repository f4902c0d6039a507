import { expect, test } from "@jest/globals";
import { Directory } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../../../lib/digest/index.js";
import { placementOf } from "./file-input-root.js";
import { findImageAround } from "./image-around.js";
import type { InputRoot } from "./input-root.js";

const own = Digest.of(Buffer.from("own"));
const image = Digest.of(Buffer.from("image"));

function rootOf(directories: Readonly<Record<string, Digest>>): InputRoot {
  const nodes = Object.entries(directories).map(([name, digest]) => ({
    name,
    digest: digest.toProto(),
  }));
  const root = Directory.fromPartial({ directories: nodes });
  return { root, directories: [], files: [], symlinks: [] };
}

test("placementOf() links the image around an input root, and copies the rest", () => {
  const root = rootOf({ usr: image, bazel_exec_root: own });
  const how = placementOf(findImageAround(root, own), "copy");
  expect(how("usr/bin/sh")).toBe("link");
  expect(how("file")).toBe("link");
  expect(how("bazel_exec_root/input")).toBe("copy");
  expect(how("bazel_exec_root2/input")).toBe("link");
});

test("placementOf() copies all that may be the action's own", () => {
  const root = rootOf({ usr: own, bazel_exec_root: own });
  expect(placementOf(findImageAround(root, own), "copy")("usr/bin/sh")).toBe(
    "copy",
  );
  // Without an image around it there is nothing else.
  expect(
    placementOf(findImageAround(root, undefined), "copy")("usr/bin/sh"),
  ).toBe("copy");
});
