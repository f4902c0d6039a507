import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { errno } from "../../../lib/status/index.js";
import { answersHttp } from "../up/answers-http.js";
import { jobsUrl } from "../up/jobs-url.js";
import { localPaths } from "../up/local-configuration.js";
import { isServingAt } from "../up/wait-until-serving-grpc.js";
import type { Finding } from "./finding.js";

/**
 * Whether the services of `berth up` answer: the root fetcher on its socket,
 * engine and router by their health service, jobs by their API, at the addresses that the state
 * folder has of the last start. One that is down beside others is a failure.
 */
export async function checkRunning(state: string): Promise<Finding[]> {
  const { fetcherSocket, routerSocket, configuration } = localPaths(state);
  if (isClosed(configuration)) {
    const text = `"${state}" may not be read by this user, so that it cannot be told whether "berth up" runs: ask its owner`;
    return [{ result: "note", text }];
  }
  const engine = engineAddress(join(configuration, "engine.json"));
  const router = `unix:${routerSocket}`;
  const services: [name: string, address: string, isUp: boolean][] = [
    ["root fetcher", fetcherSocket, await accepts(fetcherSocket)],
    ["router", router, await isServingAt(router)],
  ];
  if (engine !== undefined) {
    services.push(["engine", engine, await isServingAt(engine)]);
  }
  const jobs = jobsListen(join(configuration, "workflow.json"));
  if (jobs !== undefined) {
    const url = jobsUrl(jobs);
    const isUp = await answersHttp(`${url}/v1/jobs?limit=1`);
    services.push(["job service", `${url}/`, isUp]);
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

/** Whether the folder, there or not, is another user's. */
function isClosed(folder: string): boolean {
  try {
    readdirSync(folder);
    return false;
  } catch (error) {
    return errno(error) === "EACCES";
  }
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

/** Where jobs were to be served; undefined if they were not. */
function jobsListen(file: string): string | undefined {
  try {
    const listen: unknown = JSON.parse(readFileSync(file, "utf8"))?.http
      ?.listen;
    return typeof listen === "string" ? listen : undefined;
  } catch {
    return undefined; // "berth up" never ran there, or without jobs
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
