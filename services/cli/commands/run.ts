import { randomUUID } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";
import {
  type ExecuteResponse,
  ExecutionStage_Value,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { type Digest, parseInstanceName } from "../../../lib/digest/index.js";
import { encodeMessage } from "../../../lib/grpc/index.js";
import type { ProgramContext } from "../../../lib/program/index.js";
import { codeName, toStatusError } from "../../../lib/status/index.js";
import { checkDockerConfigFile } from "../check-docker-config-file.js";
import type { Command } from "../command.js";
import { registryHelp } from "../registry-flags.js";
import { executeAction } from "../run/execute-action.js";
import { pinImages } from "../run/pin-images.js";
import { createProgressLine, formatPull } from "../run/progress-line.js";
import { followPull } from "../run/pull-progress-socket.js";
import { reportResult } from "../run/report-result.js";
import { parseRunSettings, type RunSettings } from "../run/run-settings.js";
import { uploadAction } from "../run/upload-action.js";
import { localPaths } from "../up/local-configuration.js";
import { pullsFromRegistry } from "../up/local-router.js";
import { chooseStateFolder } from "../up/state-folder.js";
import { checkServing } from "../up/wait-until-serving-grpc.js";
import { findDockerConfig } from "../up/write-configuration-files.js";

/** Exit status when the action could not be run at all, as docker has it. */
const exitNotRun = 125;

/** Exit status after Ctrl-C, as shells have it. */
const exitInterrupted = 130;

const help = `usage: berth run [OPTION…] IMAGE -- COMMAND [ARGUMENT…]

Runs one action in an image on a running "berth up", shows its output, and
exits with its status; with 125 when it could not be run to its end, 130 when
interrupted, 1 when all went well but an --output is missing. An image that is
named by tag is looked up first, and run by its digest. IMAGE may be several,
joined by "+", and trees in CAS (cas://…), where "berth up" has --source cas.

  --engine ADDRESS       where the engine listens (127.0.0.1:8980)
  --instance NAME        instance name ("")
  --input FOLDER         files for the action, in its working directory
  --output PATH          file or folder to collect; may be repeated. One that
                         the action does not make is a failure
  --output-folder FOLDER where to put what was collected (only listed if unset)
  --env NAME=VALUE       environment; may be repeated
  --property NAME=VALUE  platform property, such as dockerNetwork=off; may be
                         repeated
  --timeout SECONDS      end the action after this time
  --cache                a result in the action cache will do
  --state FOLDER         folder of "berth up", which says where tags are looked
                         up and how a pull goes

To look up tags elsewhere; where layers come from is what "berth up" was told:

${registryHelp}`;

/** `berth run`: one action in an image. */
export const runCommand: Command = {
  help,
  run,
};

async function run(
  args: readonly string[],
  { env, signal }: ProgramContext,
): Promise<number> {
  try {
    return await runAction(parseRunSettings(args), { env, signal });
  } catch (error) {
    if (signal.aborted) {
      process.stderr.write("berth: interrupted, the action was given up\n");
      return exitInterrupted;
    }
    const { code, message } = toStatusError(error);
    process.stderr.write(`berth: ${message} (${codeName(code)})\n`);
    return exitNotRun;
  }
}

async function runAction(
  settings: RunSettings,
  { env, signal }: Pick<ProgramContext, "env" | "signal">,
): Promise<number> {
  const clients = createGrpcCasClients({ address: settings.engine });
  const cas = new GrpcContentAddressableStorage(clients);
  const instanceName = parseInstanceName(settings.instance);
  const context = { instanceName, signal };
  try {
    checkDockerConfigFile(settings.dockerConfig);
    await checkServing(settings.engine);
    const dockerConfig = settings.dockerConfig ?? findDockerConfig(env);
    const state = chooseStateFolder("run", settings.state, env);
    const image = await pinImages(settings.image, {
      flags: { ...settings, dockerConfig },
      state,
      signal,
    });
    const actionDigest = await uploadAction(settings, image, cas, context);
    const response = await executeWithProgress(
      { settings, image, actionDigest },
      (await pullsFromRegistry(state))
        ? localPaths(state).fetcherSocket
        : undefined,
      context,
    );
    return await reportResult(response, settings, cas, context);
  } finally {
    clients.close();
  }
}

/** Executes, and shows meanwhile how the image is pulled. */
async function executeWithProgress(
  action: { settings: RunSettings; image: string; actionDigest: Digest },
  fetcherSocket: string | undefined,
  context: Pick<Parameters<typeof executeAction>[0], "instanceName" | "signal">,
): Promise<ExecuteResponse> {
  const { settings, image, actionDigest } = action;
  const line = createProgressLine(process.stderr);
  const done = new AbortController();
  let isFollowing = false;
  let seconds = 0;
  // For who looks on: the router may be waiting for a registry, or importing.
  const waiting = setInterval(() => {
    line.update(`waiting for the engine to begin (${++seconds} s)`);
  }, 1_000);
  if (!process.stderr.isTTY) clearInterval(waiting);
  try {
    return await executeAction({
      ...context,
      address: settings.engine,
      actionDigest,
      skipCacheLookup: !settings.mayBeCached,
      metadata: requestMetadata(),
      onStage: (stage) => {
        if (stage !== ExecutionStage_Value.EXECUTING || isFollowing) return;
        clearInterval(waiting);
        line.clear();
        if (fetcherSocket === undefined) return;
        isFollowing = true;
        // Ends by itself or by `done`, and never fails.
        void followPull(
          fetcherSocket,
          image,
          (progress) => line.update(formatPull(settings.image, progress)),
          done.signal,
        );
      },
    });
  } finally {
    clearInterval(waiting);
    done.abort();
    line.clear();
  }
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
    encodeMessage(RequestMetadata, message),
  );
  return metadata;
}
