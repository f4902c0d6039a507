import type { JSX } from "preact";
import type { StepView } from "../../../../lib/job-api/index.js";
import { DownloadLink } from "../parts/download-link.js";
import { formatBytes } from "../text/bytes.js";
import { OutputFolder } from "./output-folder.js";

/** What a step left, to be looked into and saved. */
export function StepOutputs({ step }: { step: StepView }): JSX.Element {
  return (
    <table class="outputs">
      <caption>Outputs</caption>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Path in the step</th>
          <th scope="col">Size</th>
          <th scope="col">Content</th>
        </tr>
      </thead>
      <tbody>
        {step.outputs.map(({ name, path, kind, digest, url }) => (
          <tr key={name}>
            <th scope="row" class="break">
              {name}
            </th>
            <td>
              <code class="break">{path}</code>
            </td>
            <td class="number">
              {kind === "file"
                ? formatBytes(Number(digest.split("/")[1]))
                : "–"}
            </td>
            <td>
              {kind === "file" ? (
                <DownloadLink
                  url={url}
                  fileName={name}
                  label={`Download ${name}`}
                />
              ) : (
                <OutputFolder url={url} label={`Files in ${name}`} />
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
