import { createHash } from "node:crypto";
import { z } from "zod";
import {
  jobListSchema,
  jobSubmissionSchema,
  jobViewSchema,
} from "../../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { JobQuery } from "../../store/job-store.js";
import { errorAnswers } from "../error-answers.js";
import type { HttpContext, HttpServer } from "../http-context.js";
import { HttpError } from "../http-error.js";
import { jobOfSubmission } from "./job-of-submission.js";
import {
  jobParamsSchema,
  type ListQuery,
  listQuerySchema,
} from "./job-schemas.js";
import { jobSummary, jobView } from "./job-view.js";
import { parseSubmissionBody } from "./submission-body.js";
import { submissionOfJob } from "./submission-of-job.js";

/** Jobs of a page where nothing is said. */
const defaultLimit = 50;

const tags = ["Jobs"];

/** Jobs: submitted, listed, shown, stopped, run again. */
export function registerJobRoutes(
  server: HttpServer,
  context: HttpContext,
): void {
  registerSubmission(server, context);
  registerReading(server, context);
  registerChanges(server, context);
}

function registerSubmission(
  server: HttpServer,
  { workflow }: HttpContext,
): void {
  server.route({
    method: "POST",
    url: "/v1/jobs",
    schema: {
      tags,
      summary: "Submit a job",
      description:
        "JSON, or at most 128 KiB of YAML, by Content-Type. With an Idempotency-Key a job is made once, however often it is sent.",
      consumes: ["application/json", "application/yaml"],
      headers: z.object({
        "idempotency-key": z
          .string()
          .regex(/^[\x20-\x7e]{1,255}$/)
          .optional(),
      }),
      body: jobSubmissionSchema,
      response: {
        200: described(jobViewSchema, "The job that the key made before"),
        201: described(jobViewSchema, "The job that was made"),
        ...errorAnswers(413, 415, 422, 429),
      },
    },
    preValidation: async (request) => {
      const { body, headers } = request;
      const type = headers["content-type"];
      if (Buffer.isBuffer(body)) {
        request.bodyDigest = createHash("sha256").update(body).digest("hex");
      }
      request.body = parseSubmissionBody(body, type) as typeof request.body;
    },
    handler: async ({ body, bodyDigest, headers, tenant }, reply) => {
      const job = jobOfSubmission(tenant.name, body);
      tenant.checkJob(job);
      const key = headers["idempotency-key"];
      const { snapshot, isNew } = await workflow
        .submit(job, key === undefined ? key : { key, fingerprint: bodyDigest })
        .catch((error: unknown) => {
          throw key === undefined ? error : ofKey(error);
        });
      reply.header("location", `/v1/jobs/${snapshot.job.id}`);
      return reply.code(isNew ? 201 : 200).send(jobView(snapshot));
    },
  });
}

/** A key that was used for another job has a status of its own. */
function ofKey(error: unknown): unknown {
  return error instanceof StatusError && error.code === Code.FailedPrecondition
    ? new HttpError(422, error.code, error.message)
    : error;
}

function registerReading(server: HttpServer, { workflow }: HttpContext): void {
  server.route({
    method: "GET",
    url: "/v1/jobs",
    schema: {
      tags,
      summary: "List jobs, the newest first",
      querystring: listQuerySchema,
      response: { 200: jobListSchema, ...errorAnswers() },
    },
    handler: async ({ query, tenant }) => {
      const page = await workflow.list(jobQuery(tenant.name, query));
      return {
        jobs: page.jobs.map(({ job }) => jobSummary(job)),
        ...(page.cursor !== undefined && { cursor: page.cursor }),
      };
    },
  });
  server.route({
    method: "GET",
    url: "/v1/jobs/:id",
    schema: {
      tags,
      summary: "Show a job",
      params: jobParamsSchema,
      response: { 200: jobViewSchema, ...errorAnswers(404) },
    },
    handler: async ({ params: { id }, tenant }) =>
      jobView(await workflow.get({ tenant: tenant.name, id })),
  });
  server.route({
    method: "GET",
    url: "/v1/jobs/:id/submission",
    schema: {
      tags,
      summary: "What would make the same job again",
      description:
        "Its images as they were written: a tag may mean something else now.",
      params: jobParamsSchema,
      response: { 200: jobSubmissionSchema, ...errorAnswers(404) },
    },
    handler: async ({ params: { id }, tenant }) =>
      submissionOfJob((await workflow.get({ tenant: tenant.name, id })).job),
  });
}

function registerChanges(server: HttpServer, { workflow }: HttpContext): void {
  for (const change of ["cancel", "retry"] as const) {
    server.route({
      method: "POST",
      url: `/v1/jobs/:id/${change}`,
      schema: {
        tags,
        summary:
          change === "cancel"
            ? "Stop a job"
            : "Run a job again, from the steps on that did not succeed",
        params: jobParamsSchema,
        response: { 202: jobViewSchema, ...errorAnswers(404, 409, 429) },
      },
      handler: async ({ params: { id }, tenant }, reply) => {
        const snapshot = await workflow[change]({ tenant: tenant.name, id });
        return reply.code(202).send(jobView(snapshot));
      },
    });
  }
  server.route({
    method: "DELETE",
    url: "/v1/jobs/:id",
    schema: {
      tags,
      summary: "Remove a job that has ended",
      params: jobParamsSchema,
      response: {
        204: z.null().meta({ description: "Removed" }),
        ...errorAnswers(404, 409),
      },
    },
    handler: async ({ params: { id }, tenant }, reply) => {
      await workflow.delete({ tenant: tenant.name, id });
      return reply.code(204).send(null);
    },
  });
}

function jobQuery(tenant: string, query: ListQuery): JobQuery {
  const { state, name, label, limit, cursor } = query;
  const labels = listOf(label).map((text) => {
    const colon = text.indexOf(":");
    return [text.slice(0, colon), text.slice(colon + 1)] as const;
  });
  return {
    tenant,
    name,
    cursor,
    limit: limit === undefined ? defaultLimit : Number(limit),
    ...(state !== undefined && { states: listOf(state) }),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
  };
}

function listOf<T extends string>(value: T | readonly T[] | undefined) {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

function described<T extends z.ZodType>(schema: T, description: string): T {
  const content = { "application/json": { schema } };
  // As fastify-type-provider-zod wants it, but its types know the schema.
  return { description, content } as unknown as T;
}
