import type { Code } from "../../../../lib/status/index.js";
import type { JobStore } from "../job-store.js";

/** Methods of a store that are called across threads as they are. */
export type StoreMethod = Exclude<
  keyof JobStore,
  "setAsideCount" | "unfinished"
>;

/** What the thread of a store is asked. */
export type StoreRequest =
  | {
      readonly id: number;
      readonly kind: "call";
      readonly method: StoreMethod;
      readonly args: readonly unknown[];
    }
  /** The next unfinished jobs of a walk through them; from its first on. */
  | { readonly id: number; readonly kind: "walk"; readonly walk: number };

/** A failure as data. */
export interface StoreFailure {
  readonly code: Code;
  readonly message: string;
}

/** What it says. */
export type StoreAnswer =
  | { readonly kind: "opened"; readonly setAsideCount: number }
  | { readonly kind: "failed"; readonly error: StoreFailure }
  | { readonly kind: "told"; readonly error: StoreFailure }
  | {
      readonly kind: "result";
      readonly id: number;
      readonly value: unknown;
      readonly setAsideCount: number;
    }
  | {
      readonly kind: "error";
      readonly id: number;
      readonly error: StoreFailure;
    };
