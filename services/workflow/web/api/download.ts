import type { Api } from "./api.js";

/**
 * Saves what is at a path of the API as a file. For requests with a token,
 * which a plain link cannot send; the browser holds it all until it is saved.
 */
export async function download(
  api: Pick<Api, "get">,
  path: string,
  fileName: string,
): Promise<void> {
  const response = await api.get(path);
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  // Not at once: the browser begins to save in its own time.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
