import {
  type Action,
  ActionResult,
  type Command,
  ExecutedActionMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Duration } from "#proto/google/protobuf/duration.js";
import type { Timestamp } from "#proto/google/protobuf/timestamp.js";
import type {
  CasContext,
  FileContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest, type InstanceName } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { CasReader } from "../cas-reader.js";
import type { RoutedAction } from "../scheduling/action-routing.js";
import type {
  BuildDirectory,
  FileBuildDirectories,
} from "./file-build-directories.js";
import type { FileImageLayouts } from "./file-image-layouts.js";
import {
  directoriesToAdd,
  makeOpenDirectory,
  type PlacementMethod,
  pinInputRoot,
  placementOf,
  writeInputRoot,
} from "./file-input-root.js";
import { FileOutputStorer } from "./file-output-storer.js";
import { collectOutputs } from "./file-outputs.js";
import { FileProgramOutput } from "./file-program-output.js";
import { findImageAround, partOf } from "./image-around.js";
import { readInputRoot } from "./input-root.js";
import { type CommandPaths, resolveCommandPaths } from "./output-paths.js";
import type { ProgramIdentity } from "./program-identity.js";
import type { ProgramOutcome } from "./program-runner.js";
import type { ProgramSpawner } from "./program-spawner.js";

/** What the executor needs. */
export interface ActionExecutorOptions {
  readonly cas: FileContentAddressableStorage;
  readonly reader: CasReader;
  readonly buildDirectories: FileBuildDirectories;
  readonly layouts: FileImageLayouts;
  readonly identity: ProgramIdentity;
  readonly spawner: ProgramSpawner;
  readonly placement: PlacementMethod;
  /** For actions that name none. */
  readonly defaultTimeoutMs: number;
  /** Actions that ask for more are refused. */
  readonly maximumTimeoutMs: number;
  /** Of standard output, and of standard error. */
  readonly maximumOutputBytes: number;
  /** Of all output files together, holes included. */
  readonly maximumOutputsBytes: number;
  /** Told to clients as the worker that executed. */
  readonly workerName: string;
  /** Takes errors that do not concern the client. */
  readonly sink: (error: unknown) => void;
}

/** One execution. */
export interface Execution {
  readonly routed: RoutedAction;
  readonly instanceName: InstanceName;
  /** Index of the slot that it has for itself. */
  readonly slot: number;
  readonly queuedTimestamp: Timestamp;
  readonly signal: AbortSignal;
}

/** What came of an execution. */
export interface Executed {
  readonly result: ActionResult;
  /** Set when the action was killed after its timeout. */
  readonly error?: StatusError;
}

/**
 * Executes an action: lays out its input root, runs its command, stores what
 * it left. Throws what hindered the execution itself; an action that fails
 * has a result.
 */
export async function executeAction(
  execution: Execution,
  options: ActionExecutorOptions,
): Promise<Executed> {
  const { routed, instanceName, signal } = execution;
  const { action } = routed;
  const timeoutMs = timeoutOf(action, options);
  const context: CasContext = { instanceName, signal };
  const command = await options.reader.command(routed.commandDigest, context);
  const paths = resolveCommandPaths(command);
  const inputRootDigest = Digest.fromProto(
    action.inputRootDigest,
    "input_root_digest",
  );
  const inputRoot = await readInputRoot(
    options.reader,
    inputRootDigest,
    context,
  );
  const unpin = pinInputRoot(options.cas, inputRoot);
  const metadata = ExecutedActionMetadata.fromPartial({
    worker: options.workerName,
    queuedTimestamp: execution.queuedTimestamp,
    workerStartTimestamp: now(),
    inputFetchStartTimestamp: now(),
  });
  const directory = options.buildDirectories.create();
  const image = findImageAround(inputRoot, routed.nestedInputRoot);
  try {
    const added = directoriesToAdd(inputRoot, paths.requiredDirectories);
    const isLaidOut =
      image !== undefined && options.layouts.take(image, directory.root);
    const missing = isLaidOut ? partOf(inputRoot, image.ownName) : inputRoot;
    await writeInputRoot(directory.root, missing, {
      cas: options.cas,
      how: placementOf(image, options.placement),
      signal,
    });
    for (const path of added) makeOpenDirectory(`${directory.root}/${path}`);
    metadata.inputFetchCompletedTimestamp = now();
    const { executed, isDead } = await runAndCollect(
      { execution, directory, command, paths, timeoutMs, metadata },
      options,
    );
    if (image !== undefined && isDead) {
      await options.layouts.keep(image, directory.root).catch(options.sink); // the action has its result all the same
    }
    return executed;
  } finally {
    unpin();
    await options.buildDirectories.release(directory, options.sink);
  }
}

interface Prepared {
  readonly execution: Execution;
  readonly directory: BuildDirectory;
  readonly command: Command;
  readonly paths: CommandPaths;
  readonly timeoutMs: number;
  readonly metadata: ExecutedActionMetadata;
}

async function runAndCollect(
  prepared: Prepared,
  options: ActionExecutorOptions,
): Promise<{ executed: Executed; isDead: boolean }> {
  const { directory, metadata } = prepared;
  const { maximumOutputBytes, cas } = options;
  using stdout = new FileProgramOutput(
    `${directory.path}/stdout`,
    maximumOutputBytes,
  );
  using stderr = new FileProgramOutput(
    `${directory.path}/stderr`,
    maximumOutputBytes,
  );
  metadata.executionStartTimestamp = now();
  const { outcome, isDead } = await run(prepared, options, { stdout, stderr });
  metadata.executionCompletedTimestamp = now();
  metadata.outputUploadStartTimestamp = metadata.executionCompletedTimestamp;
  const result = ActionResult.fromPartial({ exitCode: exitCodeOf(outcome) });
  if (outcome.type === "exited") {
    const { signal } = prepared.execution;
    const storer = new FileOutputStorer(cas, {
      mayMove: isDead,
      maximumBytes: options.maximumOutputsBytes,
      signal,
    });
    const scope = { root: directory.root, cas, storer, signal };
    Object.assign(result, await collectOutputs(prepared.paths, scope));
  }
  const text = outcome.type === "notStarted" ? outcome.text : "";
  result.stdoutDigest = (await cas.write(stdout.read())).toProto();
  const errors = Buffer.concat([stderr.read(), Buffer.from(text)]);
  result.stderrDigest = (await cas.write(errors)).toProto();
  metadata.outputUploadCompletedTimestamp = now();
  metadata.workerCompletedTimestamp = metadata.outputUploadCompletedTimestamp;
  result.executionMetadata = metadata;
  const executed =
    outcome.type === "timedOut"
      ? { result, error: timeoutError(prepared.timeoutMs) }
      : { result };
  return { executed, isDead };
}

async function run(
  prepared: Prepared,
  options: ActionExecutorOptions,
  outputs: { stdout: FileProgramOutput; stderr: FileProgramOutput },
): Promise<{ outcome: ProgramOutcome; isDead: boolean }> {
  const { execution, directory, command, paths, timeoutMs } = prepared;
  if (command.arguments.length === 0) {
    throw new StatusError(Code.InvalidArgument, "Command must have arguments");
  }
  const { workingDirectory } = paths;
  const { isHelper, user, leftovers } = options.identity.choose(
    command.arguments,
    {
      isRewritten: execution.routed.isRewritten,
      slot: execution.slot,
      buildDirectory: directory.path,
    },
  );
  if (user !== undefined) {
    options.buildDirectories.checkReachable();
    options.buildDirectories.letIn(directory, user);
  }
  const program = {
    argv: command.arguments,
    env: environmentOf(command),
    workingDirectory:
      workingDirectory === ""
        ? directory.root
        : `${directory.root}/${workingDirectory}`,
    stdout: outputs.stdout.path,
    stderr: outputs.stderr.path,
    user,
    hasFaultPipe: isHelper,
    timeoutMs,
  };
  const { spawner } = options;
  const outcome = await spawner.run(program, leftovers, execution.signal);
  if (outcome.type === "fault") {
    throw new StatusError(outcome.code, outcome.text);
  }
  return { outcome, isDead: leftovers.type !== "unknown" };
}

function environmentOf(command: Command): Record<string, string> {
  return Object.fromEntries(
    command.environmentVariables.map(({ name, value }) => [name, value]),
  );
}

function exitCodeOf(outcome: ProgramOutcome): number {
  switch (outcome.type) {
    case "exited":
    case "notStarted":
      return outcome.exitCode;
    case "timedOut":
      return 128 + 9; // it was killed
    case "fault":
      throw new StatusError(outcome.code, outcome.text);
  }
}

function timeoutOf(action: Action, options: ActionExecutorOptions): number {
  const { timeout } = action;
  if (timeout === undefined) return options.defaultTimeoutMs;
  const timeoutMs = durationMs(timeout);
  if (timeoutMs === 0) return options.defaultTimeoutMs;
  if (timeoutMs > 0 && timeoutMs <= options.maximumTimeoutMs) return timeoutMs;
  throw new StatusError(
    Code.InvalidArgument,
    `Timeout must be from 0 to ${options.maximumTimeoutMs} ms: current value is ${timeoutMs} ms`,
  );
}

function durationMs({ seconds, nanos }: Duration): number {
  return seconds * 1_000 + nanos / 1e6;
}

function timeoutError(timeoutMs: number): StatusError {
  return new StatusError(
    Code.DeadlineExceeded,
    `Action was killed after its timeout of ${timeoutMs} ms`,
  );
}

function now(): Timestamp {
  const ms = Date.now();
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1e6 };
}
