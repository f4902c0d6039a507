import type { Metadata } from "@grpc/grpc-js";
import {
  DigestFunction_Value,
  ExecuteOperationMetadata,
  ExecuteResponse,
  ExecutionClient,
  ExecutionStage_Value as Stage,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { ByteStreamClient } from "#proto/google/bytestream/bytestream.js";
import {
  type Operation,
  OperationsClient,
} from "#proto/google/longrunning/operations.js";
import {
  type ActionCache,
  createGrpcActionCache,
} from "../../../lib/action-cache/index.js";
import {
  type ContentAddressableStorage,
  createGrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../../lib/cas/index.js";
import type { Digest, InstanceName } from "../../../lib/digest/index.js";
import {
  callServerStream,
  callUnary,
  channelCredentials,
  channelOptions,
  type GrpcTls,
  statusFromProto,
} from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** What an engine tells of an operation before its end. */
export interface Progress {
  /** Its name, for WaitExecution. */
  readonly operation: string;
  readonly isExecuting: boolean;
  /** ByteStream names of what it writes, where the engine streams that. */
  readonly streams?: { readonly stdout: string; readonly stderr: string };
}

/** How an operation is followed. */
export interface FollowOptions {
  readonly onProgress: (progress: Progress) => void;
  /** Ends the following, and not the operation. */
  readonly signal: AbortSignal;
}

/** Servers of the Remote Execution API, and what they are to us. */
export class RemoteEngine implements Disposable {
  readonly instanceName: InstanceName;
  readonly cas: ContentAddressableStorage;
  readonly actionCache: ActionCache;
  /** Of CAS, for blobs. */
  readonly blobs: ByteStreamClient;
  /** Of the server that executes, for logs. */
  readonly logs: ByteStreamClient;
  readonly #execution: ExecutionClient;
  readonly #operations: OperationsClient;
  readonly #close: readonly { close(): void }[];

  constructor(options: {
    /** Of the Execution service: "host:port" or "unix:/path". */
    address: string;
    /** Of CAS and action cache, where that is another server. */
    casAddress?: string | undefined;
    instanceName: InstanceName;
    tls?: GrpcTls | undefined;
  }) {
    const { address, tls } = options;
    const channel = [channelCredentials(tls), channelOptions({})] as const;
    this.instanceName = options.instanceName;
    const storage = {
      address: options.casAddress ?? address,
      ...(tls && { tls }),
    };
    const clients = createGrpcCasClients(storage);
    const results = createGrpcActionCache(storage);
    this.actionCache = results.actionCache;
    this.cas = new GrpcContentAddressableStorage(clients);
    this.blobs = clients.byteStream;
    this.#execution = new ExecutionClient(address, ...channel);
    this.#operations = new OperationsClient(address, ...channel);
    this.logs = new ByteStreamClient(address, ...channel);
    this.#close = [
      clients,
      results,
      this.#execution,
      this.#operations,
      this.logs,
    ];
  }

  [Symbol.dispose](): void {
    for (const client of this.#close) client.close();
  }

  /** Waits for a connection; throws Unavailable when there is none by then. */
  async ready(deadline: Date): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#execution.waitForReady(deadline, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    }).catch((error: unknown) => {
      throw new StatusError(
        Code.Unavailable,
        `There is no connection to the engine at "${this.#execution.getChannel().getTarget()}"`,
        { cause: error },
      );
    });
  }

  /** Executes an action that is in CAS; see #follow for the rest. */
  execute(
    action: { digest: Digest; mayBeCached: boolean; metadata: Metadata },
    options: FollowOptions,
  ): Promise<ExecuteResponse> {
    const { metadata, digest } = action;
    const operations = callServerStream(
      this.#execution.execute.bind(this.#execution),
      {
        instanceName: this.instanceName,
        skipCacheLookup: !action.mayBeCached,
        actionDigest: digest.toProto(),
        executionPolicy: undefined,
        resultsCachePolicy: undefined,
        digestFunction: DigestFunction_Value.SHA256,
        inlineStdout: false,
        inlineStderr: false,
        inlineOutputFiles: [],
      },
      { metadata, signal: options.signal },
    );
    return this.#follow(operations, options);
  }

  /** Follows an operation again; throws NotFound when it is not known. */
  wait(
    operation: string,
    metadata: Metadata,
    options: FollowOptions,
  ): Promise<ExecuteResponse> {
    const operations = callServerStream(
      this.#execution.waitExecution.bind(this.#execution),
      { name: operation },
      { metadata, signal: options.signal },
    );
    return this.#follow(operations, options);
  }

  /** Asks that an operation be stopped; it then ends as cancelled. */
  async cancel(operation: string, deadline: Date): Promise<void> {
    await callUnary(
      this.#operations.cancelOperation.bind(this.#operations),
      { name: operation },
      { deadline },
    );
  }

  /**
   * Throws what the call fails with. The response's own status, such as that
   * the action could not be run, is in the response.
   */
  async #follow(
    operations: AsyncIterable<Operation>,
    { onProgress }: FollowOptions,
  ): Promise<ExecuteResponse> {
    let answer: ExecuteResponse | undefined;
    // To its end, behind the answer: a server takes a connection that resets
    // many streams for an attack (nghttp2, stream reset rate limit).
    for await (const { name, metadata, ...operation } of operations) {
      const { done, error, response } = operation;
      if (!done) onProgress(progressOf(name, metadata?.value));
      else if (error !== undefined) throw statusFromProto(error);
      else if (response !== undefined) {
        answer = ExecuteResponse.decode(response.value);
      }
    }
    if (answer !== undefined) return answer;
    throw new StatusError(
      Code.Unavailable,
      "The engine ended the stream without a result",
    );
  }
}

function progressOf(
  operation: string,
  value: Uint8Array | undefined,
): Progress {
  const metadata =
    value === undefined ? undefined : ExecuteOperationMetadata.decode(value);
  const isExecuting = metadata?.stage === Stage.EXECUTING;
  const { stdoutStreamName: stdout = "", stderrStreamName: stderr = "" } =
    metadata ?? {};
  const streams =
    stdout === "" || stderr === "" ? undefined : { stdout, stderr };
  return { operation, isExecuting, ...(streams && { streams }) };
}
