import { useEffect, useState } from "preact/hooks";

/** Who comes back within it has missed nothing, and nothing is read anew. */
const graceMs = 30_000;

/**
 * Whether the window is seen, or was a short while ago. Browsers open few
 * connections to one server: windows that nobody sees must not hold them all.
 */
export function useVisible(): boolean {
  const [isVisible, setVisible] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(timer);
      if (!document.hidden) setVisible(true);
      else timer = setTimeout(() => setVisible(false), graceMs);
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  return isVisible;
}
