import { receiveMessageOnPort } from "node:worker_threads";
import { codeFromNumber, StatusError } from "../status/index.js";
import type {
  AllowanceAnswer,
  AllowanceEnd,
  SpaceAllowance,
  StoredContent,
} from "./space-allowance.js";

/**
 * An allowance as the worker sees it. Waits for answers with its whole thread,
 * since those who write are synchronous; several mebibytes come at a time.
 */
export class WorkerAllowance implements SpaceAllowance {
  readonly #end: AllowanceEnd;
  readonly #answered: Int32Array;
  #bytes = 0;
  #inodes = 0;

  constructor(end: AllowanceEnd) {
    this.#end = end;
    this.#answered = new Int32Array(end.answered);
  }

  take({ bytes, inodes }: StoredContent): void {
    if (bytes > this.#bytes || inodes > this.#inodes) {
      const { granted } = this.#ask({
        bytes: Math.max(0, bytes - this.#bytes),
        inodes: Math.max(0, inodes - this.#inodes),
      });
      this.giveBack(granted);
    }
    this.#bytes -= bytes;
    this.#inodes -= inodes;
  }

  giveBack({ bytes, inodes }: StoredContent): void {
    this.#bytes += bytes;
    this.#inodes += inodes;
  }

  /** Nothing more is asked for. */
  close(): void {
    this.#end.port.close();
  }

  #ask(needed: StoredContent): { granted: StoredContent } {
    Atomics.store(this.#answered, 0, 0);
    this.#end.port.postMessage(needed);
    Atomics.wait(this.#answered, 0, 0);
    const received = receiveMessageOnPort(this.#end.port);
    const answer = received?.message as AllowanceAnswer; // posted before
    if ("granted" in answer) return answer;
    const { code, message, errno } = answer;
    throw new StatusError(codeFromNumber(code), message, {
      cause: { code: errno },
    });
  }
}
