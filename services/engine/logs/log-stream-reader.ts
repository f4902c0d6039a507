import type { ReadRequest } from "#proto/google/bytestream/bytestream.js";
import type { Digest, InstanceName } from "../../../lib/digest/index.js";
import type { CallContext } from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { ActionLogs } from "./action-logs.js";
import { logStreamNotFound, tryParseLogStreamName } from "./log-stream-name.js";

/** What the reader needs. */
export interface LogStreamReaderOptions {
  /** The logs of an operation that goes on, or ended not long ago. */
  find(
    operation: string,
  ):
    | { readonly instanceName: InstanceName; readonly logs: ActionLogs }
    | undefined;
  /** Opens a blob at an offset. */
  open(digest: Digest, offset: number): AsyncIterable<Uint8Array>;
}

/**
 * Makes ByteStream.Read serve log streams: undefined for names of other
 * things; the iterable throws as LiveLog.read() does, and NotFound.
 */
export function createLogStreamReader({ find, open }: LogStreamReaderOptions) {
  return (
    request: ReadRequest,
    { signal }: CallContext,
  ): AsyncIterable<Uint8Array> | undefined => {
    const { resourceName, readOffset, readLimit } = request;
    const name = tryParseLogStreamName(resourceName);
    if (name === undefined) return undefined;
    const found = find(name.operation);
    if (found?.instanceName !== name.instanceName) {
      throw logStreamNotFound(resourceName);
    }
    if (readOffset < 0 || readLimit < 0) {
      throw new StatusError(
        Code.OutOfRange,
        `Offset and limit must not be negative: current values are ${readOffset} and ${readLimit}`,
      );
    }
    const range = { offset: readOffset, limit: readLimit };
    return found.logs[name.stream].read(range, { open, signal });
  };
}
