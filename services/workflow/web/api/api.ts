import type {
  JobList,
  JobStateName,
  JobSubmission,
  JobView,
  OutputListing,
} from "../../../../lib/job-api/index.js";
import { ApiError } from "./api-error.js";

/** Which jobs a list holds. */
export interface ListQuery {
  readonly states: readonly JobStateName[];
  readonly name: string;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** The service's API (/v1), as this page uses it. All throw ApiError. */
export interface Api {
  /** Whether requests carry a token, which plain links cannot. */
  readonly hasToken: boolean;
  /** The answer to a GET, with a status that is no error. */
  get(
    path: string,
    options?: { signal?: AbortSignal; headers?: Record<string, string> },
  ): Promise<Response>;
  list(query: ListQuery, signal: AbortSignal): Promise<JobList>;
  job(id: string, signal: AbortSignal): Promise<JobView>;
  /** What would make the same job again. */
  submission(id: string, signal: AbortSignal): Promise<JobSubmission>;
  listing(url: string, signal: AbortSignal): Promise<OutputListing>;
  /** `key`: however often it is sent with this, one job comes of it. */
  submit(text: string, key: string): Promise<JobView>;
  cancel(id: string): Promise<void>;
  retry(id: string): Promise<void>;
  remove(id: string): Promise<void>;
}

/** Calls the service with a token; tells when it does not take it. */
export function createApi(token: string, onUnauthenticated: () => void): Api {
  const call = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (token !== "") headers.set("authorization", `Bearer ${token}`);
    const response = await reach(path, { ...init, headers, cache: "no-store" });
    if (response.ok) return response;
    if (response.status === 401) onUnauthenticated();
    throw await errorOf(response);
  };
  const get: Api["get"] = (path, options) => call(path, { ...options });
  // The service answers with what its API says: it is its own page.
  const json = async <T>(path: string, signal: AbortSignal) =>
    (await (await get(path, { signal })).json()) as T;
  const post = async (path: string, method = "POST") => {
    await call(path, { method });
  };
  return {
    hasToken: token !== "",
    get,
    list: (query, signal) => json(`/v1/jobs?${listParameters(query)}`, signal),
    job: (id, signal) => json(pathOf(id), signal),
    submission: (id, signal) => json(`${pathOf(id)}/submission`, signal),
    listing: (url, signal) => json(url, signal),
    submit: async (text, key) => {
      const headers = {
        "content-type": contentTypeOf(text),
        "idempotency-key": key,
      };
      const init = { method: "POST", headers, body: text };
      return (await (await call("/v1/jobs", init)).json()) as JobView;
    },
    cancel: (id) => post(`${pathOf(id)}/cancel`),
    retry: (id) => post(`${pathOf(id)}/retry`),
    remove: (id) => post(pathOf(id), "DELETE"),
  };
}

function pathOf(id: string): string {
  return `/v1/jobs/${encodeURIComponent(id)}`;
}

function listParameters({ states, name, cursor, limit }: ListQuery): string {
  const parameters = new URLSearchParams({ limit: String(limit) });
  for (const state of states) parameters.append("state", state);
  if (name !== "") parameters.set("name", name);
  if (cursor !== undefined) parameters.set("cursor", cursor);
  return String(parameters);
}

/** YAML would take JSON, too, but says less well what is wrong with it. */
function contentTypeOf(text: string): string {
  return /^\s*\{/.test(text) ? "application/json" : "application/yaml";
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError(0, "The service cannot be reached", { cause: error });
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  let message = `The service answered with status ${response.status}`;
  try {
    // An ErrorView; of whatever else stands between us and the service, not.
    const said = JSON.parse(text)?.error?.message;
    if (typeof said === "string") message = said;
  } catch {
    // The status has to do.
  }
  return new ApiError(response.status, message);
}
