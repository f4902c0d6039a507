import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

let isFirst = true;

/**
 * The heading of what is shown, which has the focus when it is new: who uses
 * keyboard or screen reader is then where the page goes on.
 */
export function PageTitle({
  title,
  children,
}: {
  /** For the window, too. */
  title: string;
  children?: ComponentChildren;
}): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – berth`;
  }, [title]);
  useEffect(() => {
    // Not where the page was just loaded: the browser begins at its top.
    if (!isFirst) heading.current?.focus();
    isFirst = false;
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children ?? title}
    </h1>
  );
}
