import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useApi } from "../api/api-context.js";
import { messageOf } from "../api/api-error.js";
import { download } from "../api/download.js";

/** Lets a file of the service be saved, with or without a token. */
export function DownloadLink({
  url,
  fileName,
  label,
}: {
  url: string;
  fileName: string;
  label: string;
}): JSX.Element {
  const api = useApi();
  const [state, setState] = useState<"idle" | "busy" | { error: string }>(
    "idle",
  );
  if (!api.hasToken) {
    return (
      <a href={url} download={fileName}>
        {label}
      </a>
    );
  }
  const save = () => {
    setState("busy");
    download(api, url, fileName).then(
      () => setState("idle"),
      (error: unknown) => setState({ error: messageOf(error) }),
    );
  };
  return (
    <>
      <button
        type="button"
        class="link-button"
        disabled={state === "busy"}
        onClick={save}
      >
        {label}
      </button>
      {typeof state === "object" && (
        <span class="field-error" role="alert">
          {" "}
          {state.error}
        </span>
      )}
    </>
  );
}
