import {
  Action,
  Command,
  Command_OutputDirectoryFormat,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../../../lib/digest/index.js";
import { encodeDirectory } from "../../../lib/merkle-tree/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type {
  Container,
  ResolvedContainerImage,
  Source,
} from "../model/container.js";
import type { StepSpecification } from "../model/step.js";

/** What a step hands on, as CAS has it. */
export interface StepData {
  readonly kind: "file" | "directory";
  readonly digest: Digest;
}

/** What an operator says of the actions of all steps. */
export interface ActionSettings {
  /** For steps that say nothing. */
  readonly network: "host" | "none";
  /** For images that say nothing; as berth-user has it. */
  readonly user: string;
  readonly timeoutMs: number;
  /** On every action's platform, for the scheduler to choose workers by. */
  readonly platform: readonly { name: string; value: string }[];
}

/** A step that can begin. */
export interface ReadyStep {
  readonly specification: StepSpecification;
  readonly image: ResolvedContainerImage;
  /** What another step left; throws if it left nothing of that name. */
  data(source: Source): StepData;
  /** Makes the action another one than all before; unset: as it is. */
  readonly salt?: string | undefined;
}

/** An action and everything that must be in CAS with it. */
export interface BuiltAction {
  readonly digest: Digest;
  readonly blobs: readonly { digest: Digest; data: Uint8Array }[];
}

/** Docker's, for images that say none. */
const defaultPath =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Names in the action's input root; the program does not see them. */
const stdinName = "stdin";
const inputsName = "inputs";
const outputsName = "outputs";

/** Where the action leaves the output of this index. */
export function outputPath(index: number): string {
  return `${outputsName}/${index}`;
}

/**
 * Makes the action of a step. It says all in its Command and platform, so
 * that any engine whose scheduler asks berth's router can run it. Throws
 * InvalidArgument for a step that has nothing to run.
 */
export function buildAction(
  step: ReadyStep,
  settings: ActionSettings,
): BuiltAction {
  const { specification, image } = step;
  const { work } = specification;
  const inputs = buildInputRoot(step);
  const command = Command.encode({
    arguments: argumentsOf(work, image),
    environmentVariables: environmentOf(work, image),
    outputFiles: [],
    outputDirectories: [],
    outputPaths: work.outputs.map((_, index) => outputPath(index)).sort(),
    platform: undefined,
    workingDirectory: "",
    outputNodeProperties: [],
    // A directory becomes another step's input by its root alone.
    outputDirectoryFormat: Command_OutputDirectoryFormat.TREE_AND_DIRECTORY,
  }).finish();
  const commandDigest = Digest.of(command);
  const action = Action.encode({
    commandDigest: commandDigest.toProto(),
    inputRootDigest: inputs.root.toProto(),
    timeout: durationOf(specification.timeoutMs ?? settings.timeoutMs),
    doNotCache: !specification.cache,
    salt: Buffer.from(step.salt ?? ""),
    platform: { properties: propertiesOf(step, settings) },
  }).finish();
  const digest = Digest.of(action);
  return {
    digest,
    blobs: [
      ...inputs.blobs,
      { digest: commandDigest, data: command },
      { digest, data: action },
    ],
  };
}

/** Checks what buildAction would refuse, once the image is known. */
export function checkRunnable(
  work: Container,
  image: ResolvedContainerImage,
): void {
  argumentsOf(work, image);
}

function argumentsOf(
  { entrypoint, command }: Container,
  image: ResolvedContainerImage,
): string[] {
  // As Docker has it: an Entrypoint of one's own takes the Cmd away.
  const argv =
    entrypoint === undefined
      ? [...image.entrypoint, ...(command ?? image.command)]
      : [...entrypoint, ...(command ?? [])];
  if (argv.length > 0) return argv;
  throw new StatusError(
    Code.InvalidArgument,
    `Image "${image.reference}" has neither Entrypoint nor Cmd: give the step a command`,
  );
}

function environmentOf(
  { environment }: Container,
  image: ResolvedContainerImage,
): { name: string; value: string }[] {
  const variables = new Map([["PATH", defaultPath]]);
  for (const { name, value } of [...image.environment, ...environment]) {
    variables.set(name, value);
  }
  return [...variables]
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => compare(a.name, b.name));
}

function buildInputRoot(step: ReadyStep): {
  root: Digest;
  blobs: BuiltAction["blobs"];
} {
  const { stdin, inputs } = step.specification.work;
  const files = (name: string, { digest }: StepData) => ({
    name,
    digest: digest.toProto(),
    isExecutable: false,
    nodeProperties: undefined,
  });
  const given = inputs.map(({ from }, index) => ({
    name: String(index),
    data: step.data(from),
  }));
  const isFile = ({ data }: { data: StepData }) => data.kind === "file";
  const folder = encodeDirectory({
    files: given.filter(isFile).map(({ name, data }) => files(name, data)),
    directories: given
      .filter((each) => !isFile(each))
      .map(({ name, data }) => ({ name, digest: data.digest.toProto() })),
  });
  const root = encodeDirectory({
    files: stdin === undefined ? [] : [files(stdinName, step.data(stdin))],
    directories:
      inputs.length === 0
        ? []
        : [{ name: inputsName, digest: folder.digest.toProto() }],
  });
  return {
    root: root.digest,
    blobs: inputs.length === 0 ? [root] : [folder, root],
  };
}

function propertiesOf(
  { specification, image }: ReadyStep,
  settings: ActionSettings,
): { name: string; value: string }[] {
  const { work } = specification;
  const user = work.user ?? (image.user === "" ? settings.user : image.user);
  const directory = work.workingDirectory ?? image.workingDirectory;
  const properties = [
    ...settings.platform,
    { name: "container-image", value: image.reference },
    { name: "network", value: work.network ?? settings.network },
    { name: "berth-user", value: user },
    { name: "berth-workdir", value: directory === "" ? "/" : directory },
    ...work.inputs.map(({ path }, index) => ({
      name: "berth-place",
      value: `${inputsName}/${index}:${path}`,
    })),
    ...work.outputs.map(({ path }, index) => ({
      name: "berth-collect",
      value: `${path}:${outputPath(index)}`,
    })),
    ...work.secrets.map(({ variable, name }) => ({
      name: "berth-secret",
      value: `${variable}:${name}`,
    })),
  ];
  if (work.stdin !== undefined) {
    properties.push({ name: "berth-stdin", value: stdinName });
  }
  return properties.sort(
    (a, b) => compare(a.name, b.name) || compare(a.value, b.value),
  );
}

function durationOf(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1e6 };
}

/** As bytes, which is how REAPI wants names sorted. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
