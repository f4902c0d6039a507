import { describe, expect, test } from "@jest/globals";
import type { JobList } from "../../../../lib/job-api/index.js";
import { Code } from "../../../../lib/status/index.js";
import { jobOf, stepOf } from "../testing/example-job.js";
import { findJob, listJobs } from "./find-job.js";

/** A list of jobs of these ids, in pages of two. */
function listOf(...ids: string[]) {
  const queries: string[] = [];
  const list = async (query: URLSearchParams): Promise<JobList> => {
    queries.push(String(query));
    const from = Number(query.get("cursor") ?? 0);
    const jobs = ids.slice(from, from + 2).map((id) => ({
      ...jobOf(stepOf("a")),
      id,
    }));
    const next = from + 2;
    return next < ids.length ? { jobs, cursor: String(next) } : { jobs };
  };
  return { list, queries };
}

const id = (beginning: string) =>
  beginning + "51E0E756-A6B4-4CC7-87BD-364970C2268C".slice(beginning.length);

describe("findJob()", () => {
  test("findJob() takes whole ids without asking", async () => {
    const jobs = listOf();
    const whole = id("");
    expect(await findJob(jobs, whole.toLowerCase())).toBe(whole);
    expect(jobs.queries).toEqual([]);
  });

  test("findJob() looks for the beginning of an id on all pages", async () => {
    const jobs = listOf(id("AAAA"), id("BBBB"), id("CCCC"));
    expect(await findJob(jobs, "cccc")).toBe(id("CCCC"));
    expect(jobs.queries).toEqual(["limit=500", "limit=500&cursor=2"]);
  });

  test.each([
    ["cc", Code.InvalidArgument, "the first four characters of it and more"],
    ["job1", Code.InvalidArgument, "the first four characters of it"],
    ["dddd", Code.NotFound, 'There is no job whose id begins with "dddd"'],
    ["aaaa", Code.InvalidArgument, `of several jobs: ${id("AAAA1")}, `],
  ])("findJob() refuses %p", async (text, code, message) => {
    const jobs = listOf(id("AAAA1"), id("AAAA2"));
    await expect(findJob(jobs, text)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

describe("listJobs()", () => {
  test("listJobs() gives as many as wanted, and asks for no more", async () => {
    const jobs = listOf(id("1"), id("2"), id("3"), id("4"), id("5"));
    const found: string[] = [];
    const filter = new URLSearchParams({ name: "x" });
    for await (const job of listJobs(jobs, { maximum: 3, filter })) {
      found.push(job.id);
    }
    expect(found).toEqual([id("1"), id("2"), id("3")]);
    expect(jobs.queries).toEqual(["name=x&limit=3", "name=x&limit=1&cursor=2"]);
  });
});
