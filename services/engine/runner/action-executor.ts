import {
  ActionResult,
  type Command,
  ExecutedActionMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Timestamp } from "#proto/google/protobuf/timestamp.js";
import type {
  CasContext,
  FileContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest, type InstanceName } from "../../../lib/digest/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import type { CasReader } from "../cas-reader.js";
import type { ActionLogs } from "../logs/action-logs.js";
import type { RoutedAction } from "../scheduling/action-routing.js";
import { type TimeoutSettings, timeoutOf } from "./action-timeout.js";
import {
  type CommandEnd,
  type CommandRunOptions,
  runCommand,
} from "./command-run.js";
import type { BuildDirectory } from "./file-build-directories.js";
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
import { packUsage } from "./resource-usage.js";

/** What the executor needs. */
export interface ActionExecutorOptions
  extends CommandRunOptions,
    TimeoutSettings {
  readonly cas: FileContentAddressableStorage;
  readonly reader: CasReader;
  readonly layouts: FileImageLayouts;
  readonly placement: PlacementMethod;
  /** Of standard output, and of standard error. */
  readonly maximumOutputBytes: number;
  /** Of all output files together, holes included. */
  readonly maximumOutputsBytes: number;
  /** Told to clients as the worker that executed. */
  readonly workerName: string;
  /** Takes errors that do not concern the client. */
  readonly sink: (error: unknown) => void;
  /** Aborted when nobody can ask for a result any more. */
  readonly stopped: AbortSignal;
}

/** One execution. */
export interface Execution {
  readonly routed: RoutedAction;
  readonly instanceName: InstanceName;
  /** Index of the slot that it has for itself. */
  readonly slot: number;
  readonly queuedTimestamp: Timestamp;
  /** Told what the action writes; they have ended when it has. */
  readonly logs: ActionLogs;
  /** Kills the action; what it wrote until then is in the result. */
  readonly signal: AbortSignal;
}

/** What came of an execution. */
export interface Executed {
  readonly result: ActionResult;
  /** Set when the action was killed: after its timeout, or cancelled. */
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
  const { directory, metadata, execution, command, timeoutMs } = prepared;
  const { maximumOutputBytes } = options;
  const { logs } = execution;
  const open = (name: string) =>
    new FileProgramOutput(`${directory.path}/${name}`, maximumOutputBytes);
  using stdout = open("stdout");
  using stderr = open("stderr");
  logs.stdout.begin(stdout);
  logs.stderr.begin(stderr);
  try {
    metadata.executionStartTimestamp = now();
    const end = await runCommand(
      {
        command,
        directory,
        workingDirectory: prepared.paths.workingDirectory,
        stdout,
        stderr,
        isRewritten: execution.routed.isRewritten,
        slot: execution.slot,
        timeoutMs,
        signal: execution.signal,
      },
      options,
    );
    metadata.executionCompletedTimestamp = now();
    metadata.outputUploadStartTimestamp = metadata.executionCompletedTimestamp;
    const stored = await storeLogs(end, { stdout, stderr }, options);
    logs.end(stored);
    return {
      executed: await collect(prepared, { ...end, ...stored }, options),
      isDead: end.isDead,
    };
  } finally {
    logs.end(); // where they were not stored; before their files are closed
  }
}

/** Whatever the end was, a cancellation too: it may be what explains it. */
async function storeLogs(
  { outcome }: CommandEnd,
  logs: { stdout: FileProgramOutput; stderr: FileProgramOutput },
  { cas, stopped: signal }: ActionExecutorOptions,
): Promise<{ stdout: Digest; stderr: Digest }> {
  const text = outcome.type === "notStarted" ? outcome.text : "";
  const [stdout, stderr] = await Promise.all([
    logs.stdout.store(cas, { signal }),
    logs.stderr.store(cas, { signal, text }),
  ]);
  return { stdout, stderr };
}

async function collect(
  prepared: Prepared,
  end: CommandEnd & { stdout: Digest; stderr: Digest },
  options: ActionExecutorOptions,
): Promise<Executed> {
  const { metadata, directory } = prepared;
  const { signal } = prepared.execution;
  const { outcome } = end;
  const result = ActionResult.fromPartial({
    exitCode: exitCodeOf(outcome),
    stdoutDigest: end.stdout.toProto(),
    stderrDigest: end.stderr.toProto(),
  });
  let error = errorOf(outcome, prepared.timeoutMs);
  if (outcome.type === "exited") {
    const { cas } = options;
    const storer = new FileOutputStorer(cas, {
      maximumBytes: options.maximumOutputsBytes,
      signal,
    });
    const scope = { root: directory.root, cas, storer, signal };
    try {
      Object.assign(result, await collectOutputs(prepared.paths, scope));
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
      error = toStatusError(signal.reason); // the logs are there all the same
    }
  }
  metadata.outputUploadCompletedTimestamp = now();
  metadata.workerCompletedTimestamp = metadata.outputUploadCompletedTimestamp;
  if (outcome.type === "exited" && outcome.usage !== undefined) {
    metadata.auxiliaryMetadata = [packUsage(outcome.usage)];
  }
  result.executionMetadata = metadata;
  return error === undefined ? { result } : { result, error };
}

function exitCodeOf(outcome: CommandEnd["outcome"]): number {
  switch (outcome.type) {
    case "exited":
    case "notStarted":
      return outcome.exitCode;
    case "timedOut":
    case "cancelled":
      return 128 + 9; // it was killed
    case "fault":
      throw new StatusError(outcome.code, outcome.text);
  }
}

function errorOf(
  outcome: CommandEnd["outcome"],
  timeoutMs: number,
): StatusError | undefined {
  if (outcome.type === "cancelled") return outcome.error;
  if (outcome.type !== "timedOut") return undefined;
  return new StatusError(
    Code.DeadlineExceeded,
    `Action was killed after its timeout of ${timeoutMs} ms`,
  );
}

function now(): Timestamp {
  const ms = Date.now();
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1e6 };
}
