import { LRUCache } from "lru-cache";
import {
  Action,
  Command,
  type Directory,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type {
  CasContext,
  ContentAddressableStorage,
} from "../../lib/cas/index.js";
import type { Digest } from "../../lib/digest/index.js";
import { decodeDirectory } from "../../lib/merkle-tree/index.js";
import { Code, toStatusError, wrap } from "../../lib/status/index.js";
import { missingBlobsError } from "./missing-blobs.js";

/** Decoded Directories kept: actions of one build share most of them. */
const rememberedDirectories = 20_000;

/** Reads the messages that describe an action from CAS. */
export interface CasReader {
  /** Throws FailedPrecondition, with the violation, when it is missing. */
  action(digest: Digest, context: CasContext): Promise<Action>;
  /** Like action(). */
  command(digest: Digest, context: CasContext): Promise<Command>;
  /** A checked Directory; undefined when it is missing. Never change it. */
  directory(
    digest: Digest,
    context: CasContext,
  ): Promise<Directory | undefined>;
}

/** A reader that keeps decoded Directories, as far as CAS holds them still. */
export function createCasReader(cas: ContentAddressableStorage): CasReader {
  const directories = new LRUCache<string, Directory>({
    max: rememberedDirectories,
  });

  async function read(
    digest: Digest,
    context: CasContext,
  ): Promise<Buffer | undefined> {
    try {
      return await cas.read(digest, context);
    } catch (error) {
      if (toStatusError(error).code === Code.NotFound) return undefined;
      throw error;
    }
  }

  async function decode<T>(
    blob: { digest: Digest; what: string; decode: (data: Buffer) => T },
    context: CasContext,
  ): Promise<T> {
    const data = await read(blob.digest, context);
    if (data === undefined) throw missingBlobsError([blob.digest]);
    try {
      return blob.decode(data);
    } catch (error) {
      throw wrap(
        error,
        `Failed to decode ${blob.what} "${blob.digest}"`,
        Code.InvalidArgument,
      );
    }
  }

  return {
    action: (digest, context) =>
      decode(
        { digest, what: "Action", decode: (data) => Action.decode(data) },
        context,
      ),
    command: (digest, context) =>
      decode(
        { digest, what: "Command", decode: (data) => Command.decode(data) },
        context,
      ),
    directory: async (digest, context) => {
      const known = directories.get(digest.key);
      if (known !== undefined) {
        const missing = await cas.findMissing([digest], context);
        return missing.length === 0 ? known : undefined;
      }
      const data = await read(digest, context);
      if (data === undefined) return undefined;
      const directory = decodeDirectory(digest, data);
      directories.set(digest.key, directory);
      return directory;
    },
  };
}
