import { type ComponentChildren, createContext, type JSX } from "preact";
import { useCallback, useContext, useState } from "preact/hooks";

const AnnouncerContext = createContext<(text: string) => void>(() => {});

/** Says a text to screen readers, when they are not saying something else. */
export function useAnnounce(): (text: string) => void {
  return useContext(AnnouncerContext);
}

/** Holds the one live region of the page. */
export function Announcer({
  children,
}: {
  children: ComponentChildren;
}): JSX.Element {
  const [said, setSaid] = useState({ text: "", count: 0 });
  const announce = useCallback(
    (text: string) => setSaid(({ count }) => ({ text, count: count + 1 })),
    [],
  );
  return (
    <AnnouncerContext.Provider value={announce}>
      {children}
      <div class="unseen" role="status" aria-live="polite">
        <p key={said.count}>{said.text}</p>
      </div>
    </AnnouncerContext.Provider>
  );
}
