import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { localPaths } from "../up/local-configuration.js";
import { isServingAt } from "../up/wait-until-serving-grpc.js";
import type { Finding } from "./finding.js";

/**
 * Whether the services of `berth up` answer: the root fetcher on its socket,
 * engine and router by their health service, at the addresses that the state
 * folder has of the last start. One that is down beside others is a failure.
 */
export async function checkRunning(state: string): Promise<Finding[]> {
  const { fetcherSocket, routerSocket, configuration } = localPaths(state);
  const engine = engineAddress(join(configuration, "engine.json"));
  const router = `unix:${routerSocket}`;
  const services: [name: string, address: string, isUp: boolean][] = [
    ["root fetcher", fetcherSocket, await accepts(fetcherSocket)],
    ["router", router, await isServingAt(router)],
  ];
  if (engine !== undefined) {
    services.push(["engine", engine, await isServingAt(engine)]);
  }
  // At the engine's address somebody else's may answer.
  if (!services.slice(0, 2).some(([, , isUp]) => isUp)) {
    const text = '"berth up" does not run: start it before "berth run"';
    return [{ result: "note", text }];
  }
  return services.map(([name, address, isUp]) =>
    isUp
      ? { result: "ok", text: `the ${name} serves at "${address}"` }
      : {
          result: "fail",
          text: `the ${name} does not answer at "${address}": see what "berth up" printed, or start it anew`,
        },
  );
}

/** Where the engine was told to listen; undefined if that is not known. */
function engineAddress(file: string): string | undefined {
  try {
    const address: unknown = JSON.parse(readFileSync(file, "utf8"))?.listen?.[0]
      ?.address;
    return typeof address === "string" ? address : undefined;
  } catch {
    return undefined; // "berth up" never ran there
  }
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
