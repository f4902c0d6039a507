/**
 * The errno name of a failure of Node, such as "ENOENT"; undefined for any
 * other. Not by `instanceof`: errors may come from another realm.
 */
export function errnoOf(error: unknown): string | undefined {
  return typeof error === "object" &&
    error !== null &&
    "code" in error &&
    typeof error.code === "string"
    ? error.code
    : undefined;
}
