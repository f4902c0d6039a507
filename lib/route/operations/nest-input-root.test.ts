import { expect, test } from "@jest/globals";
import { Action } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../../digest/index.js";
import { encodeDirectory } from "../../merkle-tree/index.js";
import type { RoutedAction } from "../routed-action.js";
import { execRootName, nestInputRoot } from "./nest-input-root.js";

const digestOf = (text: string) => Digest.of(Buffer.from(text)).toProto();
const directory = (name: string) => ({ name, digest: digestOf(name) });
const link = { name: "lib", target: "usr/lib", nodeProperties: undefined };
const file = {
  ...{ name: "etc.tar", digest: digestOf("etc"), isExecutable: true },
  nodeProperties: undefined,
};

test.each([
  ["behind and before it", ["a", "bazel", "bazel_exec_root0", "usr"]],
  ["behind it", ["etc", "usr"]],
  ["before it", ["a", "b"]],
  ["nowhere", []],
])(
  "nestInputRoot() makes a canonical Directory where an image's directories are %s",
  async (_, names) => {
    const image = {
      ...{ files: [file], symlinks: [link] },
      directories: names.map(directory),
      nodeProperties: undefined,
    };
    const root = encodeDirectory(image);
    for (const inputs of ["first", "second"]) {
      const inputRootDigest = digestOf(inputs);
      const routed = {
        action: Action.fromPartial({ inputRootDigest }),
        place: {
          kind: "image",
          image: {
            parts: [],
            tree: { rootDigest: root.digest, root: root.directory },
          },
        },
      } as unknown as RoutedAction;
      const nested = await nestInputRoot(routed, {} as never);
      const node = { name: execRootName, digest: inputRootDigest };
      const whole = encodeDirectory({
        ...image,
        directories: [...image.directories, node],
      });
      expect(nested.inputRoot?.digest).toEqual(whole.digest);
      expect(Buffer.from(nested.inputRoot?.data ?? [])).toEqual(
        Buffer.from(whole.data),
      );
      expect(nested.action.inputRootDigest).toEqual(whole.digest.toProto());
    }
  },
);
