import type { CasContext, ContentAddressableStorage } from "../cas/index.js";
import { Digest, type InstanceName } from "../digest/index.js";
import {
  DigestList,
  type ImageImporter,
  type ImportableImage,
} from "../image-import/index.js";
import { mergeTrees } from "../merkle-tree/index.js";
import { Code, StatusError } from "../status/index.js";
import type { AuthenticatedRecords } from "./authenticated-records.js";

/** A tree in CAS, and what it needs there. */
export interface FoundTree {
  readonly rootDigest: Digest;
  /**
   * Blobs that have to be there; undefined: all that is reached from the root,
   * which nobody has listed yet.
   */
  readonly digests: DigestList | undefined;
  /** Whether they were all there a moment ago. */
  readonly isConfirmed: boolean;
}

/** Whose tree it is, and for whom it is made. */
export interface OriginContext extends CasContext {
  readonly signal: AbortSignal;
}

/** Where the tree of an image comes from, and comes from again. */
export interface ImageOrigin {
  /** Equal exactly for origins of the same tree. */
  readonly key: string;
  /** The tree, as it is known or made anew. */
  find(context: OriginContext): Promise<FoundTree>;
  /** Makes the tree whole, after blobs of it were found missing. */
  repair(missing: number, context: OriginContext): Promise<FoundTree>;
}

/** A tree that somebody else put into CAS, and has to put there again. */
export function createTreeOrigin(rootDigest: Digest): ImageOrigin {
  return {
    key: `cas://${rootDigest}`,
    find: async () => ({ rootDigest, digests: undefined, isConfirmed: false }),
    repair: async (missing) => {
      throw new StatusError(
        Code.FailedPrecondition,
        `Tree "cas://${rootDigest}" lacks ${missing} of its blobs in CAS: upload it again`,
      );
    },
  };
}

/** An image of a registry or layout, imported when CAS does not have it. */
export function createImportOrigin(
  image: ImportableImage & { readonly manifestDigest: string },
  parts: {
    readonly importer: ImageImporter;
    readonly records: AuthenticatedRecords | undefined;
  },
): ImageOrigin {
  const { importer, records } = parts;
  const name = `root ${image.manifestDigest}`;
  const make = async (context: OriginContext): Promise<FoundTree> => {
    const { instanceName, signal } = context;
    const imported = await importer.import(image, { instanceName, signal });
    const { rootDigest, digests } = imported;
    await records?.put(name, Buffer.from(`${rootDigest}`), instanceName);
    return { rootDigest, digests, isConfirmed: true };
  };
  return {
    key: image.manifestDigest,
    find: async (context) => {
      const known = await readRoot(records, name, context.instanceName);
      return known ?? make(context);
    },
    repair: (_missing, context) => make(context),
  };
}

/** Trees over each other, the lowest first; they are kept by themselves. */
export function createComposedOrigin(
  roots: readonly Digest[],
  cas: ContentAddressableStorage,
): ImageOrigin {
  const make = async (context: OriginContext): Promise<FoundTree> => {
    const { root, made } = await mergeTrees(cas, roots, context);
    const digests = new DigestList();
    for (const digest of made) digests.add(digest);
    return { rootDigest: root, digests, isConfirmed: true };
  };
  return {
    key: roots.map((root) => `cas://${root}`).join("+"),
    find: make,
    repair: (_missing, context) => make(context),
  };
}

async function readRoot(
  records: AuthenticatedRecords | undefined,
  name: string,
  instanceName: InstanceName,
): Promise<FoundTree | undefined> {
  const record = await records?.get(name, instanceName);
  if (record === undefined) return undefined;
  const [hash = "", sizeBytes = ""] = record.toString().split("/");
  return {
    rootDigest: Digest.create(hash, Number(sizeBytes)),
    digests: undefined,
    isConfirmed: false,
  };
}
