import type { JobSummary } from "../../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { JobHttpClient } from "./job-http-client.js";

const wholeId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Less says too little: a slip of the finger would name some job. */
const beginning = /^[0-9a-f][0-9a-f-]{3,35}$/i;

/** As many as the API gives at a time. */
const pageSize = 500;

/** Of so many jobs, the newest, an id can be abbreviated. */
const searchedJobs = 10_000;

/**
 * The id of a job that was named by it, or by the beginning of it, four
 * characters at least. Throws InvalidArgument for what is no id or begins
 * several, and NotFound.
 */
export async function findJob(
  client: Pick<JobHttpClient, "list">,
  text: string,
): Promise<string> {
  if (wholeId.test(text)) return text.toUpperCase();
  if (!beginning.test(text)) {
    throw new StatusError(
      Code.InvalidArgument,
      `A job's id, or the first four characters of it and more, must be given: current value is ${JSON.stringify(text)}`,
    );
  }
  const wanted = text.toUpperCase();
  const found: string[] = [];
  for await (const { id } of listJobs(client, { maximum: searchedJobs })) {
    if (id.toUpperCase().startsWith(wanted)) found.push(id);
  }
  const [id, ...others] = found;
  if (id !== undefined && others.length === 0) return id;
  throw id === undefined
    ? new StatusError(
        Code.NotFound,
        `There is no job whose id begins with "${text}": see "berth job ls"`,
      )
    : new StatusError(
        Code.InvalidArgument,
        `"${text}" begins the ids of several jobs: ${found.slice(0, 5).join(", ")}`,
      );
}

/** Jobs, the newest first, page by page. */
export async function* listJobs(
  client: Pick<JobHttpClient, "list">,
  options: { maximum: number; filter?: URLSearchParams },
): AsyncGenerator<JobSummary> {
  const query = new URLSearchParams(options.filter);
  for (let left = options.maximum; left > 0; ) {
    query.set("limit", String(Math.min(left, pageSize)));
    const { jobs, cursor } = await client.list(query);
    yield* jobs.slice(0, left);
    left -= jobs.length;
    if (cursor === undefined) return;
    query.set("cursor", cursor);
  }
}
