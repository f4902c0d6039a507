import { createHmac, timingSafeEqual } from "node:crypto";
import { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { ActionCache } from "../action-cache/index.js";
import { Digest, type InstanceName } from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";

/** Of what records mean and how they are authenticated. */
const formatVersion = 1;

const macBytes = 32;

/** Shorter ones could be guessed by who sees many records. */
const minimumKeyBytes = 32;

/** A record is beside the results of all actions: it has to be small. */
const maximumRecordBytes = 1 << 20;

/** What is known of something, by its name, shared by replicas. */
export interface AuthenticatedRecords {
  /**
   * The record's bytes, or undefined: there is none, it is not ours, or the
   * action cache is away. Never throws.
   */
  get(name: string, instanceName: InstanceName): Promise<Buffer | undefined>;
  /** Keeps a record; that it could not is told to `onError` alone. */
  put(
    name: string,
    record: Uint8Array,
    instanceName: InstanceName,
  ): Promise<void>;
}

/**
 * Records in an action cache, which others may write: each carries a MAC
 * (HMAC-SHA-256, RFC 2104) over format version, instance name, digest function
 * and name, so that a record that was forged, or copied from another place, is
 * none. The bytes lie in `stdout_raw`, where no CAS blob is named whose absence
 * would make the result incomplete (REAPI, ActionCache). A record may be
 * older than what is true by now: its reader has to find out.
 */
export function createAuthenticatedRecords(options: {
  readonly actionCache: ActionCache;
  /** Shared by all replicas, and by nobody else. */
  readonly key: Uint8Array;
  readonly onError: (error: unknown) => void;
}): AuthenticatedRecords {
  const { actionCache, key, onError } = options;
  if (key.byteLength < minimumKeyBytes) {
    throw new StatusError(
      Code.InvalidArgument,
      `Key of image records must have at least ${minimumKeyBytes} bytes: current value has ${key.byteLength}`,
    );
  }
  const macOf = (subject: Buffer, record: Uint8Array) =>
    // The subject's length first, so that no two pairs are one text.
    createHmac("sha256", key)
      .update(`${subject.byteLength}\n`)
      .update(subject)
      .update(record)
      .digest();
  return {
    get: async (name, instanceName) => {
      const subject = subjectOf(name, instanceName);
      try {
        const result = await actionCache.get(Digest.of(subject), {
          instanceName,
        });
        const bytes = Buffer.from(result?.stdoutRaw ?? []);
        if (bytes.length < macBytes) return undefined;
        const record = bytes.subarray(macBytes);
        const mac = macOf(subject, record);
        const isOurs = timingSafeEqual(mac, bytes.subarray(0, macBytes));
        return isOurs ? record : undefined;
      } catch (error) {
        onError(error);
        return undefined;
      }
    },
    put: async (name, record, instanceName) => {
      if (record.byteLength > maximumRecordBytes) return;
      const subject = subjectOf(name, instanceName);
      const stdoutRaw = Buffer.concat([macOf(subject, record), record]);
      const result = ActionResult.fromPartial({ stdoutRaw });
      try {
        const digest = Digest.of(subject);
        await actionCache.put(digest, result, { instanceName });
      } catch (error) {
        onError(error);
      }
    },
  };
}

/** What a record is about, and the "action" under whose digest it lies. */
function subjectOf(name: string, instanceName: InstanceName): Buffer {
  const subject = ["berth record", formatVersion, instanceName, "SHA256", name];
  return Buffer.from(JSON.stringify(subject));
}
