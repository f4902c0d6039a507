import { once } from "node:events";
import { Code, errno, StatusError, wrap } from "../../../lib/status/index.js";

/** Whoever read the output is gone: there is nothing left to do or to say. */
export class OutputClosedError extends StatusError {
  constructor() {
    super(Code.Cancelled, "The output was closed");
  }
}

/** What a command prints on; waits where the reader is slow. */
export interface Output {
  /** Throws OutputClosedError, or what else went wrong. */
  write(data: string | Uint8Array): Promise<void>;
  /** Waits until all is written; throws as write does. */
  finish(): Promise<void>;
}

/** An output on a stream, which is not closed. */
export function createOutput(stream: NodeJS.WritableStream): Output {
  let failure: StatusError | undefined;
  stream.on("error", (error) => {
    // EPIPE: as readers such as head(1) leave.
    failure ??=
      errno(error) === "EPIPE"
        ? new OutputClosedError()
        : wrap(error, "Failed to write output");
  });
  const check = () => {
    if (failure !== undefined) throw failure;
  };
  return {
    write: async (data) => {
      check();
      if (stream.write(data)) return;
      // An error rejects this too; the listener above has it.
      await once(stream, "drain").catch(() => {});
      check();
    },
    finish: async () => {
      check();
      await new Promise<void>((resolve) => {
        stream.write("", () => resolve());
      });
      check();
    },
  };
}
