import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import {
  Action,
  ActionCacheClient,
  Command,
  ExecuteOperationMetadata,
  ExecuteRequest,
  ExecuteResponse,
  ExecutionClient,
  type ExecutionStage_Value,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { ByteStreamClient } from "#proto/google/bytestream/bytestream.js";
import type { Operation } from "#proto/google/longrunning/operations.js";
import { OperationsClient } from "#proto/google/longrunning/operations.js";
import {
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../../lib/digest/index.js";
import {
  callServerStream,
  channelCredentials,
  channelOptions,
} from "../../../lib/grpc/index.js";
import { encodeDirectory } from "../../../lib/merkle-tree/index.js";
import { createMetrics } from "../../../lib/metrics/index.js";
import { engineConfigurationSchema } from "../configuration.js";
import { createEngine, type Engine } from "../create-engine.js";

/** Input files by path: content, or what else it is. */
export type Inputs = Readonly<
  Record<
    string,
    string | { readonly program: string } | { readonly symlink: string }
  >
>;

/** An action to be executed. */
export interface ActionSpec {
  readonly command: Partial<Command>;
  readonly inputs?: Inputs;
  readonly action?: Partial<Action>;
}

/** What the client saw of an execution. */
export interface Seen {
  readonly stages: readonly ExecutionStage_Value[];
  readonly response: ExecuteResponse;
  readonly name: string;
  /** Of the last state. */
  readonly metadata: ExecuteOperationMetadata;
}

/** An execution whose action has left the queue. */
export interface Begun {
  readonly name: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly end: Promise<Seen>;
}

const context = { instanceName: parseInstanceName("") };

/** A shell command with the environment that one needs. */
export function shell(script: string, more: Partial<Command> = {}) {
  return {
    arguments: ["/bin/sh", "-c", script],
    environmentVariables: [{ name: "PATH", value: "/bin:/usr/bin" }],
    ...more,
  };
}

/** Clients of an engine over real gRPC, and the engine if it is here. */
export class EngineScenario {
  readonly directory: string;
  /** Where the engine listens. */
  readonly address: string;
  readonly cas: GrpcContentAddressableStorage;
  readonly execution: ExecutionClient;
  readonly operations: OperationsClient;
  readonly actionCache: ActionCacheClient;
  readonly byteStream: ByteStreamClient;
  /** What the engine could tell nobody. */
  readonly unexpected: readonly unknown[];
  /** Ends the connections. */
  readonly close: () => void;
  #engine: Engine | undefined;

  private constructor(
    address: string,
    directory: string,
    unexpected: readonly unknown[] = [],
  ) {
    this.unexpected = unexpected;
    const clients = createGrpcCasClients({ address });
    const credentials = channelCredentials();
    const options = channelOptions({});
    this.directory = directory;
    this.address = address;
    this.cas = new GrpcContentAddressableStorage(clients);
    this.execution = new ExecutionClient(address, credentials, options);
    this.operations = new OperationsClient(address, credentials, options);
    this.actionCache = new ActionCacheClient(address, credentials, options);
    this.byteStream = new ByteStreamClient(address, credentials, options);
    this.close = () => {
      clients.close();
      this.byteStream.close();
      this.execution.close();
      this.operations.close();
      this.actionCache.close();
    };
  }

  /** Clients of an engine that runs elsewhere. */
  static connect(address: string, directory: string): EngineScenario {
    return new EngineScenario(address, directory);
  }

  /** `configuration` holds keys beside the addresses and directories. */
  static async start(
    configuration: Record<string, unknown> = {},
    reused?: string,
  ): Promise<EngineScenario> {
    const directory = reused ?? (await mkdtemp(join(tmpdir(), "engine-")));
    // Commands run as other users, who must get there.
    if (reused === undefined) await chmod(directory, 0o755);
    const checked = engineConfigurationSchema.parse({
      listen: [{ address: "127.0.0.1:0", actionCacheUpdates: true }],
      state: join(directory, "state"),
      build: join(directory, "build"),
      abandonAfter: "10ms",
      // What an engine finds running as a user of its actions it ends: tests
      // beside this one have users of their own.
      users: { firstAction: 70_000 + 64 * (process.pid % 10_000) },
      ...configuration,
    });
    const unexpected: unknown[] = [];
    const engine = await createEngine(checked, {
      metrics: createMetrics(),
      sink: (error) => unexpected.push(error),
    });
    const [address = ""] = engine.addresses;
    const scenario = new EngineScenario(address, directory, unexpected);
    scenario.#engine = engine;
    return scenario;
  }

  /** Ends the connections and the engine, and removes its directory. */
  async stop(options: { keep?: boolean } = {}): Promise<void> {
    this.close();
    await this.#engine?.stop(100);
    if (!options.keep) await rm(this.directory, { recursive: true });
  }

  /** Stores an action with all that it needs; gives its digest. */
  async upload(spec: ActionSpec): Promise<Digest> {
    const command = Command.encode(Command.fromPartial(spec.command)).finish();
    const action = Action.fromPartial({
      commandDigest: (await this.cas.write(command, context)).toProto(),
      inputRootDigest: (await this.uploadTree(spec.inputs ?? {})).toProto(),
      ...spec.action,
    });
    return this.cas.write(Action.encode(action).finish(), context);
  }

  /** Stores a tree; gives the digest of its root. */
  async uploadTree(inputs: Inputs): Promise<Digest> {
    const files = [];
    const symlinks = [];
    const below = new Map<string, Record<string, Inputs[string]>>();
    for (const [path, input] of Object.entries(inputs)) {
      const [name = "", ...rest] = path.split("/");
      const nodeProperties = undefined;
      if (rest.length > 0) {
        const children = below.get(name) ?? {};
        below.set(name, { ...children, [rest.join("/")]: input });
      } else if (typeof input === "object" && "symlink" in input) {
        symlinks.push({ name, target: input.symlink, nodeProperties });
      } else {
        const isExecutable = typeof input === "object";
        const text = typeof input === "object" ? input.program : input;
        const stored = await this.cas.write(Buffer.from(text), context);
        const digest = stored.toProto();
        files.push({ name, digest, isExecutable, nodeProperties });
      }
    }
    const directories = [];
    for (const [name, children] of below) {
      const digest = (await this.uploadTree(children)).toProto();
      directories.push({ name, digest });
    }
    const root = encodeDirectory({ files, directories, symlinks });
    return this.cas.write(root.data, context);
  }

  /** Stores a Directory that holds another one twice. */
  async uploadTwice(child: Digest): Promise<Digest> {
    const digest = child.toProto();
    const { data } = encodeDirectory({
      directories: [
        { name: "one", digest },
        { name: "two", digest },
      ],
    });
    return this.cas.write(data, context);
  }

  /** Uploads and executes. */
  async run(
    spec: ActionSpec,
    request: Partial<ExecuteRequest> = {},
    signal?: AbortSignal,
  ): Promise<Seen> {
    return this.execute(await this.upload(spec), request, signal);
  }

  /** Executes what was uploaded, and reads to the end. */
  async execute(
    actionDigest: Digest,
    request: Partial<ExecuteRequest> = {},
    signal?: AbortSignal,
    onState: (name: string, state: ExecuteOperationMetadata) => void = () => {},
  ): Promise<Seen> {
    const stages: ExecutionStage_Value[] = [];
    let last:
      | { operation: Operation; metadata: ExecuteOperationMetadata }
      | undefined;
    for await (const operation of callServerStream(
      this.execution.execute.bind(this.execution),
      ExecuteRequest.fromPartial({
        actionDigest: actionDigest.toProto(),
        ...request,
      }),
      { signal, metadata: new Metadata() },
    )) {
      const { value } = operation.metadata ?? { value: Buffer.alloc(0) };
      const metadata = ExecuteOperationMetadata.decode(value);
      stages.push(metadata.stage);
      onState(operation.name, metadata);
      last = { operation, metadata };
    }
    if (last?.operation.response === undefined) {
      throw new RangeError("The stream ended without a response");
    }
    const { operation, metadata } = last;
    const response = ExecuteResponse.decode(last.operation.response.value);
    return { stages, response, name: operation.name, metadata };
  }

  /** Uploads and executes; resolves when the action has left the queue. */
  async begin(
    spec: ActionSpec,
    request: Partial<ExecuteRequest> = {},
    signal?: AbortSignal,
  ): Promise<Begun> {
    const digest = await this.upload(spec);
    return new Promise((resolve, reject) => {
      const end = this.execute(digest, request, signal, (name, state) => {
        const { stdoutStreamName: stdout, stderrStreamName: stderr } = state;
        if (stdout !== "") resolve({ name, stdout, stderr, end });
      });
      end.catch(reject);
    });
  }

  /** Reads by ByteStream, whatever the name is of. */
  async *read(
    resourceName: string,
    range: { offset?: number; limit?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array> {
    const { offset: readOffset = 0, limit: readLimit = 0, signal } = range;
    for await (const { data } of callServerStream(
      this.byteStream.read.bind(this.byteStream),
      { resourceName, readOffset, readLimit },
      { signal },
    )) {
      yield data;
    }
  }

  /** All that read() gives, as text. */
  async readText(
    ...[name, range]: Parameters<EngineScenario["read"]>
  ): Promise<string> {
    let text = "";
    for await (const data of this.read(name, range)) text += data.toString();
    return text;
  }

  /** The text of an output file, of "stdout" or "stderr". */
  async text(seen: Seen, path: string): Promise<string> {
    const result = seen.response.result;
    const digest =
      path === "stdout"
        ? result?.stdoutDigest
        : path === "stderr"
          ? result?.stderrDigest
          : result?.outputFiles.find((file) => file.path === path)?.digest;
    const data = await this.cas.read(Digest.fromProto(digest, path), context);
    return data.toString();
  }
}
