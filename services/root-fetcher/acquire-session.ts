import type { Socket } from "node:net";
import type { PullProgress, RootLease } from "../../lib/root-store/index.js";
import {
  Code,
  codeName,
  StatusError,
  toStatusError,
} from "../../lib/status/index.js";
import { LineReader } from "./line-reader.js";

/** What a session asks of the daemon. */
export interface SessionOptions {
  /** Rejects with PermissionDenied when the peer may not use the socket. */
  readonly authorize: () => Promise<void>;
  readonly acquire: (
    reference: string,
    options: {
      signal: AbortSignal;
      onProgress?: ((progress: PullProgress) => void) | undefined;
    },
  ) => Promise<RootLease>;
  readonly used: (hex: string) => void;
  /** How long a peer may take to ask for something. */
  readonly idleTimeoutMs: number;
  /** Ends the session with Unavailable. */
  readonly stopping: AbortSignal;
}

/**
 * Least time between two progress lines: a person cannot read faster.
 */
const progressIntervalMs = 100;

/**
 * Serves one connection of the root fetcher's socket until it closes: `HI`,
 * then lines. `ACQUIRE` and `WATCH` are answered once; from then on the
 * connection is the lease, whatever else comes over it. Never rejects.
 */
export function serveSession(
  socket: Socket,
  options: SessionOptions,
): Promise<void> {
  return new Promise((resolve) => {
    const session = new Session(socket, options);
    socket.once("close", () => {
      session.end();
      resolve();
    });
  });
}

class Session {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #lines = new LineReader();
  readonly #gone = new AbortController();
  readonly #stop = () =>
    this.#refuse(new StatusError(Code.Unavailable, "Root fetcher is stopping"));
  #asked = false;
  #lease: RootLease | undefined;
  #progressMs = 0;

  constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    options.stopping.addEventListener("abort", this.#stop, { once: true });
    socket.on("error", () => {}); // a peer that vanished; "close" follows
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    // Whoever closes its half is gone: nothing outlives a client.
    socket.on("end", () => socket.destroy());
    socket.setTimeout(options.idleTimeoutMs, () => {
      this.#refuse(
        new StatusError(Code.DeadlineExceeded, "Nothing was asked for"),
      );
    });
    socket.write("HI\n");
  }

  /** The connection is closed: ends the lease, or the waiting for it. */
  end(): void {
    this.#options.stopping.removeEventListener("abort", this.#stop);
    this.#gone.abort(new StatusError(Code.Cancelled, "The client is gone"));
    this.#lease?.release();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) this.#handle(line);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #handle(line: string): void {
    const [verb, argument = ""] = line.split(/ (.*)/s, 2);
    switch (verb) {
      case "USED":
        this.#options.used(argument);
        return;
      case "ACQUIRE":
      case "WATCH":
        void this.#acquire(argument, verb === "WATCH");
        return;
      default:
        throw new StatusError(
          Code.InvalidArgument,
          "Line must begin with ACQUIRE, WATCH or USED",
        );
    }
  }

  async #acquire(reference: string, watch: boolean): Promise<void> {
    try {
      if (this.#asked) {
        throw new StatusError(
          Code.FailedPrecondition,
          "A connection can acquire one root only",
        );
      }
      this.#asked = true;
      this.#socket.setTimeout(0);
      await this.#options.authorize();
      const lease = await this.#options.acquire(reference, {
        signal: this.#gone.signal,
        ...(watch && { onProgress: (state) => this.#show(state) }),
      });
      if (this.#gone.signal.aborted) lease.release();
      else {
        this.#lease = lease;
        this.#socket.write(`OK ${lease.path}\n`);
      }
    } catch (error) {
      this.#refuse(error);
    }
  }

  #show(progress: PullProgress): void {
    const now = performance.now();
    const complete = progress.layersDone === progress.layers;
    if (!complete && now - this.#progressMs < progressIntervalMs) return;
    if (this.#socket.writableNeedDrain) return; // who does not read, misses it
    this.#progressMs = now;
    this.#socket.write(`PROGRESS ${JSON.stringify(progress)}\n`);
  }

  #refuse(error: unknown): void {
    if (this.#socket.destroyed) return;
    const { code, message } = toStatusError(error);
    const text = message.replaceAll(/[\r\n]+/g, " ");
    this.#socket.end(`ERROR ${codeName(code)}: ${text}\n`);
    // Should the peer not read it: the kernel keeps the line for a while.
    this.#socket.destroySoon();
  }
}
