import { connect } from "node:net";
import { createInterface } from "node:readline";

/** How far the pull of an image has come; sizes are of compressed layers. */
export interface PullProgress {
  readonly layers: number;
  readonly layersDone: number;
  readonly bytes: number;
  readonly bytesDone: number;
}

/**
 * Asks the root fetcher for an image and reports how the pull goes, until it
 * is there. Returns at once where no fetcher listens, and quietly when the
 * pull fails: the action that follows says why, with its status.
 */
export function followPull(
  socketPath: string,
  reference: string,
  onProgress: (progress: PullProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const end = () => {
      signal.removeEventListener("abort", end);
      socket.destroy();
      resolve();
    };
    signal.addEventListener("abort", end);
    socket.on("error", end);
    socket.on("close", end);
    createInterface({ input: socket })
      .on("error", end)
      .on("line", (line) => {
        const [verb, ...rest] = line.split(" ");
        if (verb === "HI") socket.write(`WATCH ${reference}\n`);
        else if (verb === "PROGRESS") onProgress(JSON.parse(rest.join(" ")));
        else end();
      });
  });
}
