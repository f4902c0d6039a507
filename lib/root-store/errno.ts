/**
 * The errno name of an error of Node ("ENOENT"), or undefined. Looks at the
 * shape only: errors of another realm are no instances of this one's Error.
 */
export function errno(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error
    ? String(error.code)
    : undefined;
}

/**
 * Whether the disk, or the quota, has no blocks or inodes left: that of the
 * error itself or of any of its causes.
 */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause !== undefined; cause = causeOf(cause)) {
    const name = errno(cause);
    if (name === "ENOSPC" || name === "EDQUOT") return true;
  }
  return false;
}

function causeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "cause" in error
    ? error.cause
    : undefined;
}
