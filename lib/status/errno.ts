/**
 * The errno name of an error of Node ("ENOENT"), or undefined. Looks at the
 * shape only: errors of another realm are no instances of this one's Error.
 */
export function errno(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) {
    return undefined;
  }
  return typeof error.code === "string" ? error.code : undefined;
}

/** The errno name of the error or of the first of its causes that has one. */
export function innerErrno(error: unknown): string | undefined {
  for (let cause = error; cause !== undefined; cause = causeOf(cause)) {
    const name = errno(cause);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** Whether the disk, or the quota, has no blocks or inodes left. */
export function isDiskFull(error: unknown): boolean {
  const name = innerErrno(error);
  return name === "ENOSPC" || name === "EDQUOT";
}

function causeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "cause" in error
    ? error.cause
    : undefined;
}
