import type { MessagePort } from "node:worker_threads";
import type { InstanceName } from "../digest/index.js";
import type { GrpcTls } from "../grpc/index.js";
import type { ImageTotals, ImageTreeLimits } from "../image-tree/index.js";
import type { LayerDescriptor, LayerLimits } from "../layer/index.js";

/** What holds for all jobs of one importer. */
export interface ImportSettings {
  /** Where CAS is served; each worker has a connection of its own. */
  readonly cas: { readonly address: string; readonly tls?: GrpcTls };
  /** Folder for files that are too large for memory until they are stored. */
  readonly spoolDirectory: string;
  /** Largest Directory message that CAS and workers take. */
  readonly maximumDirectoryBytes: number;
}

/** Reads a layer and stores its files. */
export interface LayerJob {
  readonly kind: "layer";
  readonly instanceName: InstanceName;
  readonly descriptor: LayerDescriptor;
  readonly diffId: string;
  readonly limits: LayerLimits;
  /** Brings the blob's bytes. */
  readonly chunks: MessagePort;
}

/** Looks which files of a layer that was read before CAS does not have. */
export interface PresenceJob {
  readonly kind: "presence";
  readonly instanceName: InstanceName;
  readonly diffId: string;
  /** What encodeLayer made. */
  readonly record: Uint8Array;
}

/** Replays layers and stores the Directories of the tree. */
export interface TreeJob {
  readonly kind: "tree";
  readonly instanceName: InstanceName;
  /** Lowest first. */
  readonly layers: readonly {
    readonly diffId: string;
    readonly record: Uint8Array;
  }[];
  readonly limits: ImageTreeLimits;
}

/** What a worker of an importer can be asked to do. */
export type ImportJob = LayerJob | PresenceJob | TreeJob;

/** What went to CAS; blobs that it had already are not counted. */
export interface StoredBlobs {
  readonly blobs: number;
  readonly bytes: number;
}

/** What an image has that CAS cannot say: counted, and left out. */
export interface DroppedFromImage {
  readonly devices: number;
  readonly fifos: number;
  readonly xattrs: number;
  readonly setIds: number;
  readonly aufs: number;
  /** Entries whose name or target is not UTF-8, with all beneath them. */
  readonly names: number;
}

/** What the jobs answer. */
export interface ImportJobResults {
  readonly layer: {
    /** What encodeLayer made. */
    readonly record: Uint8Array;
    readonly entries: number;
    readonly stored: StoredBlobs;
  };
  readonly presence: {
    readonly outcome: "present" | "missing" | "damaged";
    readonly entries: number;
  };
  readonly tree: TreeJobResult;
}

/** An image's tree in CAS. */
export interface TreeJobResult {
  /** Of the root Directory. */
  readonly hash: string;
  readonly sizeBytes: number;
  readonly totals: ImageTotals;
  readonly dropped: DroppedFromImage;
  /** All blobs of the tree, packed: see DigestList. */
  readonly digests: Uint8Array;
  readonly stored: StoredBlobs;
}
