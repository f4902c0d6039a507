import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import {
  Action,
  Command_OutputDirectoryFormat,
  Command as CommandMessage,
  type ExecuteResponse,
  ExecutionStage_Value,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  type CasContext,
  type ContentAddressableStorage,
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../../lib/digest/index.js";
import { encodeDirectory } from "../../../lib/merkle-tree/index.js";
import type { ProgramContext } from "../../../lib/program/index.js";
import type { Command } from "../command.js";
import { parseOptions, usageError } from "../parse-options.js";
import { executeAction } from "../run/execute-action.js";
import { createProgressLine, formatPull } from "../run/progress-line.js";
import { followPull } from "../run/pull-progress-socket.js";
import { listOutputs, saveOutputs } from "../run/save-outputs-file.js";
import { uploadDirectory } from "../run/upload-directory-file.js";
import { defaultStateFolder } from "../up/state-folder.js";

/** Exit status when the action could not be run at all, as docker has it. */
const exitNotRun = 125;

const help = `usage: berth run [OPTION…] IMAGE -- COMMAND [ARGUMENT…]

Runs one action in an image on a running "berth up", shows its output, and
exits with its status (125 when it could not be run).

  --engine ADDRESS       where the engine listens (127.0.0.1:8980)
  --instance NAME        instance name ("")
  --input FOLDER         files for the action, in its working directory
  --output PATH          file or folder to collect; may be repeated
  --output-folder FOLDER where to put what was collected (only listed if unset)
  --env NAME=VALUE       environment; may be repeated
  --property NAME=VALUE  platform property, such as dockerNetwork=off; may be
                         repeated
  --timeout SECONDS      end the action after this time
  --cache                a result in the action cache will do
  --state FOLDER         folder of "berth up", to show how a pull goes`;

const optionTable = {
  engine: { type: "string", default: "127.0.0.1:8980" },
  instance: { type: "string", default: "" },
  input: { type: "string" },
  output: { type: "string", multiple: true, default: [] as string[] },
  "output-folder": { type: "string" },
  env: { type: "string", multiple: true, default: [] as string[] },
  property: { type: "string", multiple: true, default: [] as string[] },
  timeout: { type: "string" },
  cache: { type: "boolean", default: false },
  state: { type: "string" },
} as const;

/** `berth run`: one action in an image. */
export const runCommand: Command = {
  summary: "run one command in an image",
  help,
  run,
};

type Settings = ReturnType<typeof parseSettings>;

function parseSettings(args: readonly string[]) {
  const { values, positionals, rest } = parseOptions("run", args, optionTable);
  const [image, extra] = positionals;
  if (image === undefined) throw usageError("run", "No image given");
  if (extra !== undefined) {
    throw usageError("run", `"${extra}" is one argument too many before "--"`);
  }
  if (rest === undefined || rest.length === 0) {
    throw usageError("run", 'No command given after "--"');
  }
  const timeoutSeconds = Number(values.timeout ?? "0");
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 0) {
    throw usageError("run", `"${values.timeout}" is no number of seconds`);
  }
  const pairs = (texts: readonly string[]) =>
    texts
      .map((text) => splitPair(text))
      .sort((a, b) =>
        `${a.name}\0${a.value}` < `${b.name}\0${b.value}` ? -1 : 1,
      );
  return {
    ...values,
    image,
    arguments: rest,
    timeoutSeconds,
    environment: pairs(values.env),
    properties: pairs([...values.property, `container-image=${image}`]),
  };
}

function splitPair(text: string): { name: string; value: string } {
  const equals = text.indexOf("=");
  if (equals <= 0) throw usageError("run", `"${text}" is not NAME=VALUE`);
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

async function run(
  args: readonly string[],
  { env, signal }: ProgramContext,
): Promise<number> {
  const settings = parseSettings(args);
  const clients = createGrpcCasClients({ address: settings.engine });
  const cas = new GrpcContentAddressableStorage(clients);
  const context = {
    instanceName: parseInstanceName(settings.instance),
    signal,
  };
  const socket = join(
    settings.state ?? defaultStateFolder(env),
    "run/root-fetcher.sock",
  );
  const line = createProgressLine(process.stderr);
  const done = new AbortController();
  try {
    const actionDigest = await uploadAction(settings, cas, context);
    let isFollowing = false;
    const response = await executeAction({
      address: settings.engine,
      instanceName: context.instanceName,
      actionDigest,
      skipCacheLookup: !settings.cache,
      metadata: requestMetadata(),
      signal,
      onStage: (stage) => {
        if (stage !== ExecutionStage_Value.EXECUTING || isFollowing) return;
        isFollowing = true;
        // Ends by itself or by `done`, and never fails.
        void followPull(
          socket,
          settings.image,
          (progress) => line.update(formatPull(settings.image, progress)),
          done.signal,
        );
      },
    });
    done.abort();
    line.clear();
    return await report(response, settings, cas, context);
  } catch (error) {
    line.clear();
    process.stderr.write(`berth: ${(error as Error).message}\n`);
    return exitNotRun;
  } finally {
    done.abort();
    clients.close();
  }
}

async function uploadAction(
  settings: Settings,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<Digest> {
  const inputRootDigest =
    settings.input === undefined
      ? await cas.write(encodeDirectory({}).data, context)
      : await uploadDirectory(settings.input, cas, context);
  const platform = { properties: settings.properties };
  const commandDigest = await cas.write(
    CommandMessage.encode({
      arguments: [...settings.arguments],
      environmentVariables: settings.environment,
      outputFiles: [],
      outputDirectories: [],
      outputPaths: [...settings.output].sort(),
      platform,
      workingDirectory: "",
      outputNodeProperties: [],
      outputDirectoryFormat: Command_OutputDirectoryFormat.TREE_ONLY,
    }).finish(),
    context,
  );
  const action = Action.encode({
    commandDigest: commandDigest.toProto(),
    inputRootDigest: inputRootDigest.toProto(),
    timeout:
      settings.timeoutSeconds === 0
        ? undefined
        : { seconds: settings.timeoutSeconds, nanos: 0 },
    doNotCache: !settings.cache,
    salt: Buffer.alloc(0),
    platform,
  }).finish();
  return cas.write(action, context);
}

function requestMetadata(): Metadata {
  const metadata = new Metadata();
  const message = RequestMetadata.fromPartial({
    toolDetails: { toolName: "berth" },
    toolInvocationId: randomUUID(),
    actionMnemonic: "BerthRun",
  });
  metadata.set(
    "build.bazel.remote.execution.v2.requestmetadata-bin",
    Buffer.from(RequestMetadata.encode(message).finish()),
  );
  return metadata;
}

async function report(
  response: ExecuteResponse,
  settings: Settings,
  cas: ContentAddressableStorage,
  context: CasContext,
): Promise<number> {
  const { result } = response;
  if (result === undefined) throw new Error("The engine gave no result");
  for (const [stream, raw, digest] of [
    [process.stdout, result.stdoutRaw, result.stdoutDigest],
    [process.stderr, result.stderrRaw, result.stderrDigest],
  ] as const) {
    if (raw.length > 0) stream.write(raw);
    else if (digest !== undefined) {
      const blob = Digest.fromProto(digest, "output digest");
      for await (const chunk of cas.open(blob, context)) stream.write(chunk);
    }
  }
  const outputs = await listOutputs(result, cas, context);
  const folder = settings["output-folder"];
  if (folder !== undefined) await saveOutputs(outputs, folder, cas, context);
  for (const output of outputs) {
    const what =
      output.type === "file"
        ? `${output.digest.sizeBytes} bytes`
        : `-> ${output.target}`;
    const where =
      folder === undefined ? output.path : join(folder, output.path);
    process.stderr.write(`berth: output ${where} (${what})\n`);
  }
  if (response.cachedResult) process.stderr.write("berth: result was cached\n");
  return result.exitCode;
}
