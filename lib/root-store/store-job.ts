import type { MessagePort } from "node:worker_threads";
import type { ImageTreeLimits } from "../image-tree/index.js";
import type { LayerDescriptor, LayerLimits } from "../layer/index.js";
import type { LoadedTree } from "../merkle-tree/index.js";
import type { AllowanceEnd, StoredContent } from "./space-allowance.js";
import type { StoreLayout, StoreOwner } from "./store-layout.js";

/** What holds for all jobs of one store. */
export interface StoreSettings {
  readonly layout: StoreLayout;
  /** Owner of all entries; undefined where that is the process itself. */
  readonly owner: StoreOwner | undefined;
  /** The process's umask: a worker thread cannot change it. */
  readonly umask: number;
}

/** Reads a layer: its files into the content store, its entries to `record`. */
export interface LayerJob {
  readonly kind: "layer";
  readonly descriptor: LayerDescriptor;
  readonly diffId: string;
  readonly limits: LayerLimits;
  readonly tmp: string;
  readonly record: string;
  /** Folder of the trash for what was stored, should the layer be wrong. */
  readonly trash: string;
  /** Brings the blob's bytes. */
  readonly chunks: MessagePort;
  readonly allowance: AllowanceEnd;
}

/** Brings a tree's files into the content store, its entries to `record`. */
export interface TreeJob {
  readonly kind: "tree";
  readonly diffId: string;
  /** Transferred, and let go of as soon as the record is written. */
  tree: LoadedTree | undefined;
  readonly tmp: string;
  readonly record: string;
  /** Folder of the trash for what was stored, should it be of no use. */
  readonly trash: string;
  /** Is told once what encodeWanted makes of the blobs that are wanted. */
  readonly wanted: MessagePort;
  /** Brings their bytes. */
  readonly chunks: MessagePort;
  readonly allowance: AllowanceEnd;
}

/** Replays layers and writes the root with its lock and image.json. */
export interface RootJob {
  readonly kind: "root";
  /** Lowest first. */
  readonly layers: readonly { diffId: string; record: string }[];
  /** The root's folder below `tmp/`; made by the job. */
  readonly directory: string;
  readonly tmp: string;
  readonly limits: ImageTreeLimits;
  readonly allowance: AllowanceEnd;
  readonly description: RootJobDescription;
}

/** What image.json tells beside the totals. */
export interface RootJobDescription {
  readonly reference: string;
  readonly config: unknown;
}

/** Removes trees below `tmp/`. */
export interface RemoveJob {
  readonly kind: "remove";
  readonly paths: readonly string[];
}

/** Moves the files of a layer that no root links to into a trash folder. */
export interface CollectJob {
  readonly kind: "collect";
  readonly diffId: string;
  readonly record: string;
  readonly trash: string;
}

/** Counts the content store, and moves what nothing refers to into the trash. */
export interface AuditJob {
  readonly kind: "audit";
  readonly trash: string;
  /** Files made since are left out; milliseconds of the file system's clock. */
  readonly beforeMs: number;
}

/** What a worker of a store can be asked to do. */
export type StoreJob =
  | LayerJob
  | TreeJob
  | RootJob
  | RemoveJob
  | CollectJob
  | AuditJob;

/** What the jobs answer. */
export interface StoreJobResults {
  readonly layer: LayerJobResult;
  readonly tree: LayerJobResult;
  readonly root: RootJobResult;
  readonly remove: undefined;
  readonly collect: { readonly collected: StoredContent };
  readonly audit: {
    readonly present: StoredContent;
    readonly collected: StoredContent;
  };
}

/** What a job has brought of a layer. */
export interface LayerJobResult {
  readonly stored: StoredContent;
  readonly entries: number;
  /** Why a tree is not whole, where what there is of it is of use. */
  readonly failure?:
    | {
        readonly code: number;
        readonly message: string;
        readonly errno: string | undefined;
      }
    | undefined;
}

/** The outcome of a root job; records of `incomplete` layers are useless. */
export type RootJobResult =
  | {
      readonly outcome: "written";
      readonly stored: StoredContent;
      readonly sizeBytes: number;
      /** Paths of the tree. */
      readonly entries: number;
      /** Directories and symbolic links. */
      readonly inodes: number;
    }
  | { readonly outcome: "incomplete"; readonly diffIds: readonly string[] };
