import { MessageChannel, type MessagePort } from "node:worker_threads";
import { innerErrno, toStatusError } from "../status/index.js";
import type {
  AllowanceAnswer,
  AllowanceEnd,
  SpaceReserver,
  StoredContent,
} from "./space-allowance.js";

const nothing: StoredContent = { bytes: 0, inodes: 0 };

/**
 * What one job of a worker may add to the store: reserved piece by piece while
 * the job writes, since nobody knows before how much an image expands to.
 */
export class Allowance {
  readonly end: AllowanceEnd;
  readonly #room: SpaceReserver;
  readonly #port: MessagePort;
  readonly #reserved: StoredContent = { bytes: 0, inodes: 0 };
  #settled = false;

  constructor(room: SpaceReserver) {
    this.#room = room;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.end = { port: port2, answered: new SharedArrayBuffer(4) };
    port1.on("message", (needed: StoredContent) => void this.#answer(needed));
    port1.unref();
  }

  /** The job has ended, and this is what it left in the store. */
  settle(stored: StoredContent): void {
    this.#settled = true;
    this.#port.close();
    this.#room.settle(this.#reserved, stored);
  }

  // Never rejects: a failure is the worker's.
  async #answer(needed: StoredContent): Promise<void> {
    let answer: AllowanceAnswer;
    try {
      const granted = await this.#room.reserve(needed);
      if (this.#settled) {
        this.#room.settle(granted, nothing); // the thread is gone
        return;
      }
      this.#reserved.bytes += granted.bytes;
      this.#reserved.inodes += granted.inodes;
      answer = { granted };
    } catch (error) {
      const { code, message } = toStatusError(error);
      answer = { code, message, errno: innerErrno(error) };
    }
    this.#port.postMessage(answer);
    const answered = new Int32Array(this.end.answered);
    Atomics.store(answered, 0, 1);
    Atomics.notify(answered, 0);
  }
}
