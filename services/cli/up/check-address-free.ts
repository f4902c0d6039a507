import { createServer } from "node:net";
import {
  Code,
  errno,
  StatusError,
  toStatusError,
} from "../../../lib/status/index.js";

/** What the kernel's refusals mean for who gave an address by a flag. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken by another program",
  EADDRNOTAVAIL: "is no address of this machine",
  EACCES: "may not be used by this user",
  ENOTFOUND: "has a name that is not known",
};

/**
 * Throws FailedPrecondition naming the flag if nothing can be served at
 * "host:port". For a good text at the start: the service itself fails, too.
 */
export async function checkAddressFree(
  flag: string,
  address: string,
): Promise<void> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(Number(address.slice(colon + 1)), host, resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    const reason = reasons[errno(error) ?? ""];
    if (reason === undefined) throw toStatusError(error);
    throw new StatusError(
      Code.FailedPrecondition,
      `"${address}" ${reason}: choose another address by ${flag}`,
      { cause: error },
    );
  }
}
