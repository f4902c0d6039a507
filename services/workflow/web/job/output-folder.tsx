import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { OutputListing } from "../../../../lib/job-api/index.js";
import { useApi } from "../api/api-context.js";
import { messageOf } from "../api/api-error.js";
import { DownloadLink } from "../parts/download-link.js";
import { formatBytes } from "../text/bytes.js";

/** Entries of a folder that are shown; a link leads to the others. */
const maximumEntries = 500;

/** A directory that a step left: read when it is opened. */
export function OutputFolder({
  url,
  label,
}: {
  url: string;
  label: string;
}): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      class="folder"
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary class="break">{label}</summary>
      {isOpen && <Listing url={url} />}
    </details>
  );
}

function Listing({ url }: { url: string }): JSX.Element {
  const api = useApi();
  const [listing, setListing] = useState<OutputListing>();
  const [error, setError] = useState("");
  useEffect(() => {
    const controller = new AbortController();
    api.listing(url, controller.signal).then(setListing, (thrown: unknown) => {
      if (!controller.signal.aborted) setError(messageOf(thrown));
    });
    return () => controller.abort();
  }, [api, url]);
  if (error !== "") {
    return (
      <p class="field-error" role="alert">
        {error}.
      </p>
    );
  }
  if (listing === undefined) return <p class="quiet">Loading…</p>;
  const { entries } = listing;
  if (entries.length === 0) return <p class="quiet">It is empty.</p>;
  return (
    <ul class="files">
      {entries.slice(0, maximumEntries).map((entry) => (
        <li key={entry.name}>
          <Entry
            url={`${url}/${encodeURIComponent(entry.name)}`}
            entry={entry}
          />
        </li>
      ))}
      {entries.length > maximumEntries && (
        <li class="quiet">
          and {entries.length - maximumEntries} more, which the API tells
        </li>
      )}
    </ul>
  );
}

function Entry({
  url,
  entry: { name, kind, sizeBytes, target },
}: {
  url: string;
  entry: OutputListing["entries"][number];
}): JSX.Element {
  switch (kind) {
    case "directory":
      return <OutputFolder url={url} label={`${name}/`} />;
    case "symlink":
      return (
        <span class="break">
          {name} → {target}
        </span>
      );
    case "file":
      return (
        <>
          <DownloadLink url={url} fileName={name} label={name} />{" "}
          <span class="quiet number">{formatBytes(sizeBytes ?? 0)}</span>
        </>
      );
  }
}
