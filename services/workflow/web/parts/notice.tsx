import type { ComponentChildren, JSX } from "preact";

/**
 * Something to know. `error`: it is said at once by screen readers, too;
 * `plain`: it is part of the page, and announced by nobody.
 */
export function Notice({
  kind,
  children,
}: {
  kind: "error" | "warning" | "plain";
  children: ComponentChildren;
}): JSX.Element {
  const role =
    kind === "error" ? "alert" : kind === "warning" ? "status" : undefined;
  return (
    <div class={`notice notice-${kind}`} role={role}>
      {children}
    </div>
  );
}
