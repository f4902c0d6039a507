import { existsSync } from "node:fs";
import { join } from "node:path";
import { distFolder, servicePath } from "../../../lib/program/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** Where this checkout's programs are, after `make build`. */
export interface Installation {
  /** The program of each service, for Node. */
  readonly engine: string;
  readonly router: string;
  readonly rootFetcher: string;
  readonly workflow: string;
  /** The static berth-exec. */
  readonly helper: string;
}

/** Finds the programs; throws FailedPrecondition for one that is not built. */
export function findInstallation(): Installation {
  const installation = {
    engine: servicePath("engine"),
    router: servicePath("router"),
    rootFetcher: servicePath("root-fetcher"),
    workflow: servicePath("workflow"),
    helper: join(
      distFolder,
      "../services/chroot-helper/target/x86_64-unknown-linux-musl/release/berth-exec",
    ),
  };
  const missing = Object.values(installation).find((path) => !existsSync(path));
  if (missing !== undefined) {
    throw new StatusError(
      Code.FailedPrecondition,
      `"${missing}" is not built: run "make build"`,
    );
  }
  return installation;
}
