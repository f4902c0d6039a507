import { connect } from "node:net";
import type { Finding } from "./finding.js";

/** Whether a root fetcher answers on the socket of `berth up`. */
export function checkRunning(socketPath: string): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve({ result: "ok", text: '"berth up" runs' });
    });
    socket.once("error", () =>
      resolve({
        result: "note",
        text: '"berth up" does not run: start it before "berth run"',
      }),
    );
  });
}
