import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { createKernelCalls } from "../../../lib/kernel-calls/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import { flagPathError } from "../flag-path-error.js";
import { makeDirectory } from "../make-directory.js";

/**
 * Makes and takes the state folder until the file is closed or this process ends: two
 * engines over one CAS would remove each other's blobs. Throws
 * FailedPrecondition when another `berth up` has it.
 */
export async function lockStateFolder(
  state: string,
  helper: string,
): Promise<FileHandle> {
  await makeDirectory("--state", state);
  const file = await open(join(state, "lock"), "a", 0o600).catch(
    (error: unknown) => {
      throw flagPathError("--state", state, error);
    },
  );
  if (await createKernelCalls(helper).tryLockExclusive(file.fd)) return file;
  await file.close();
  throw new StatusError(
    Code.FailedPrecondition,
    `Another "berth up" uses the state folder "${state}": stop it, or choose another folder by --state`,
  );
}
