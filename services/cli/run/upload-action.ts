import {
  Action,
  Command,
  Command_OutputDirectoryFormat,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../../lib/cas/index.js";
import type { Digest } from "../../../lib/digest/index.js";
import { encodeDirectory } from "../../../lib/merkle-tree/index.js";
import type { NameAndValue, RunSettings } from "./run-settings.js";
import { uploadDirectory } from "./upload-directory-file.js";

/** Stores the action, its command and its inputs in CAS. */
export async function uploadAction(
  settings: RunSettings,
  image: string,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<Digest> {
  const inputRootDigest =
    settings.input === undefined
      ? await cas.write(encodeDirectory({}).data, context)
      : await uploadDirectory(settings.input, cas, context);
  const properties = sorted([
    ...settings.properties,
    { name: "container-image", value: image },
  ]);
  const commandDigest = await cas.write(
    Command.encode({
      arguments: [...settings.arguments],
      environmentVariables: sorted(settings.environment),
      outputFiles: [],
      outputDirectories: [],
      outputPaths: [...settings.outputs].sort(),
      platform: { properties },
      workingDirectory: "",
      outputNodeProperties: [],
      outputDirectoryFormat: Command_OutputDirectoryFormat.TREE_ONLY,
    }).finish(),
    context,
  );
  const { timeoutSeconds } = settings;
  const action = Action.encode({
    commandDigest: commandDigest.toProto(),
    inputRootDigest: inputRootDigest.toProto(),
    timeout:
      timeoutSeconds === 0 ? undefined : { seconds: timeoutSeconds, nanos: 0 },
    doNotCache: !settings.mayBeCached,
    salt: Buffer.alloc(0),
    platform: { properties },
  }).finish();
  return cas.write(action, context);
}

/** As REAPI wants variables and properties: by name, then by value. */
function sorted(pairs: readonly NameAndValue[]): NameAndValue[] {
  const key = ({ name, value }: NameAndValue) => `${name}\0${value}`;
  return [...pairs].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
