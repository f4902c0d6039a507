import {
  Code,
  errno,
  StatusError,
  toStatusError,
} from "../../lib/status/index.js";

/** What the kernel's refusals mean for who gave a path by a flag. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "does not exist, or cannot be made there",
  ENOTDIR: "is no folder, or lies beneath a file",
  EEXIST: "is there already, and is no folder",
  EISDIR: "is a folder where a file is meant",
  EACCES: "may not be used by this user",
  EPERM: "may not be used by this user",
  EROFS: "is on a file system that cannot be written",
  ENAMETOOLONG: "is too long a name",
  ELOOP: "leads through symbolic links that form a circle",
  ENOSPC: "is on a file system that is full",
};

/**
 * A failure of the file system as one of a flag: FailedPrecondition with the
 * flag (none: the path is an operand), the path and what is wrong with it. Other failures stay as they are.
 */
export function flagPathError(
  flag: string | undefined,
  path: string,
  error: unknown,
): StatusError {
  if (error instanceof StatusError) return error;
  const reason = reasons[errno(error) ?? ""];
  if (reason === undefined) return toStatusError(error);
  return new StatusError(
    Code.FailedPrecondition,
    `"${path}" ${reason}: choose another path${flag === undefined ? "" : ` by ${flag}`}`,
    { cause: error },
  );
}
