import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Notice } from "./parts/notice.js";
import { PageTitle } from "./parts/page-title.js";

/** Asks for a token, since the service does. */
export function TokenPage({
  hadToken,
  onToken,
}: {
  /** Whether the service was given one, and refused it. */
  hadToken: boolean;
  onToken: (token: string) => void;
}): JSX.Element {
  const [token, setToken] = useState("");
  return (
    <form
      class="sheet narrow"
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim() !== "") onToken(token.trim());
      }}
    >
      <PageTitle title="Token needed" />
      {hadToken && (
        <Notice kind="error">The service does not know this token.</Notice>
      )}
      <p>
        This service shows jobs to those who have a token. It is kept in this
        tab until you close it.
      </p>
      <label class="field">
        <span class="field-label">Token</span>
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <div class="actions">
        <button type="submit" class="button button-main">
          Show jobs
        </button>
      </div>
    </form>
  );
}
