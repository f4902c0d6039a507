import type { MessagePort } from "node:worker_threads";

/** What is in the content store, or added to it. */
export interface StoredContent {
  bytes: number;
  inodes: number;
}

/** Asked before anything is added to the store. */
export interface SpaceAllowance {
  /** Throws ResourceExhausted when the store has no room for so much more. */
  take(content: StoredContent): void;
  /** What was taken is not needed after all. */
  giveBack(content: StoredContent): void;
}

/** Where allowances come from. */
export interface SpaceReserver {
  /** Reserves what is needed, and gives what it reserved: so much or more. */
  reserve(needed: StoredContent): Promise<StoredContent>;
  /** Ends a reservation, and counts what was stored of it. */
  settle(reserved: StoredContent, stored: StoredContent): void;
}

/** What a worker needs to ask for room; the port has to be transferred. */
export interface AllowanceEnd {
  readonly port: MessagePort;
  /** One number of 32 bits: not 0 once the answer is there. */
  readonly answered: SharedArrayBuffer;
}

/** What comes back when a worker has posted what it needs. */
export type AllowanceAnswer =
  | { readonly granted: StoredContent }
  | {
      readonly code: number;
      readonly message: string;
      readonly errno: string | undefined;
    };
