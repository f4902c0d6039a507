import { LRUCache } from "lru-cache";
import { Command } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { PreconditionFailure } from "#proto/google/rpc/error_details.js";
import type { ContentAddressableStorage } from "../cas/index.js";
import type { Digest, InstanceName } from "../digest/index.js";
import { Code, StatusError, toStatusError, wrap } from "../status/index.js";

/**
 * Reads clients' Commands. A read is not given up with its caller: it is
 * small, bounded by CAS's own time limits, gathered with the reads of others,
 * and what it brings serves the client's next attempt. To listen for the end
 * of every caller would cost as much as the read.
 */
export interface CommandReader {
  /**
   * Throws FailedPrecondition with the violation MISSING if CAS lacks it (the
   * client uploads it and tries again), InvalidArgument if it is no Command
   * or too large, DataLoss for wrong bytes, and what CAS throws.
   */
  read(digest: Digest, instanceName: InstanceName): Promise<Command>;
}

/** What a cached Command costs beside its bytes. */
const entryOverheadBytes = 300;

/**
 * A reader of a CAS that keeps the bytes of recent Commands. They are kept
 * per instance name: one tenant's digest must not open another's Command.
 */
export function createCommandReader(options: {
  cas: ContentAddressableStorage;
  /** Bound of what is kept, in bytes. */
  cacheSizeBytes: number;
  /** Larger Commands are refused unread. */
  maximumCommandSizeBytes: number;
  /** Told of every look into the cache. */
  onLookup?: (result: "hit" | "miss") => void;
}): CommandReader {
  const { cas, maximumCommandSizeBytes, onLookup } = options;
  const cache = new LRUCache<string, Buffer>({
    maxSize: options.cacheSizeBytes,
    sizeCalculation: (data) => data.byteLength + entryOverheadBytes,
  });
  return {
    read: async (digest, instanceName) => {
      const key = `${digest.key} ${instanceName}`;
      const kept = cache.get(key);
      onLookup?.(kept === undefined ? "miss" : "hit");
      if (kept !== undefined) return decode(kept, digest);
      if (digest.sizeBytes > maximumCommandSizeBytes) {
        throw new StatusError(
          Code.InvalidArgument,
          `Command "${digest}" must have ${maximumCommandSizeBytes} bytes at most`,
        );
      }
      const data = await cas
        .read(digest, { instanceName })
        .catch((error: unknown) => {
          throw readError(error, digest);
        });
      const command = decode(data, digest);
      cache.set(key, data);
      return command;
    },
  };
}

function readError(error: unknown, digest: Digest): StatusError {
  const doing = `Failed to read command "${digest}"`;
  if (toStatusError(error).code !== Code.NotFound) return wrap(error, doing);
  const description = "The command is not in CAS: upload it and execute again";
  const value = PreconditionFailure.encode({
    violations: [{ type: "MISSING", subject: `blobs/${digest}`, description }],
  }).finish();
  return new StatusError(
    Code.FailedPrecondition,
    `${doing}: it is not in CAS, upload it and execute again`,
    {
      cause: error,
      details: [
        {
          typeUrl: "type.googleapis.com/google.rpc.PreconditionFailure",
          value,
        },
      ],
    },
  );
}

function decode(data: Buffer, digest: Digest): Command {
  const command = tryDecode(data);
  // Text that is no UTF-8 decodes to replacement characters. Encoding the
  // Command again would change what is executed without a word.
  if (
    command === undefined ||
    (hasReplacements(command) && !data.equals(Command.encode(command).finish()))
  ) {
    throw new StatusError(
      Code.InvalidArgument,
      `Command "${digest}" must be an encoded build.bazel.remote.execution.v2.Command of valid UTF-8`,
    );
  }
  return command;
}

function tryDecode(data: Buffer): Command | undefined {
  try {
    return Command.decode(data);
  } catch {
    return undefined; // the decoder's own text says nothing to a client
  }
}

function hasReplacements(command: Command): boolean {
  const has = (text: string) => text.includes("\uFFFD");
  return (
    command.arguments.some(has) ||
    command.environmentVariables.some((v) => has(v.name) || has(v.value)) ||
    command.outputPaths.some(has) ||
    command.outputFiles.some(has) ||
    command.outputDirectories.some(has) ||
    command.outputNodeProperties.some(has) ||
    has(command.workingDirectory) ||
    (command.platform?.properties.some((p) => has(p.name) || has(p.value)) ??
      false)
  );
}
