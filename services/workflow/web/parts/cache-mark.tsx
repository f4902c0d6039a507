import type { JSX } from "preact";

/** Says that a result, or so many of them, came out of the action cache. */
export function CacheMark({ text }: { text: string }): JSX.Element {
  return (
    <span class="cache-mark">
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path class="fill" d="M9.5.8L3 9h4l-.8 6.2L13 7H8.7z" />
      </svg>
      <span>{text}</span>
    </span>
  );
}
