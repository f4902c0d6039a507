import { z } from "zod";
import { closedSignal } from "../closed-signal.js";
import { errorAnswers } from "../error-answers.js";
import type { HttpContext, HttpServer } from "../http-context.js";
import { parseJsonText, textOfBody } from "../json-text.js";
import { checked } from "../mistakes.js";
import {
  type DrayJob,
  drayCreatedSchema,
  drayJobListSchema,
  drayJobSchema,
  drayLogSchema,
  drayStatusSchema,
} from "./dray-schemas.js";
import { drayStatus, jobOfDray, stepsCompleted } from "./job-of-dray.js";
import { parseRequestIndex } from "./log-index.js";
import { withoutTrailingCommas } from "./trailing-commas.js";

/** Jobs that are asked of the store at a time, for the list. */
const pageSize = 500;

/**
 * Lines of one answer, which has 8 MiB at most, besides. Who has more to read
 * asks again with the index that was reached, until nothing more comes.
 */
const maximumLines = 100_000;

const params = z.object({ id: z.string() });

/**
 * Dray's API as its document says, and for what it leaves open a 4xx with a
 * text. Bodies are taken as JSON whatever they say they are: `curl -d` says
 * that they are of a form.
 */
export function registerDrayRoutes(
  server: HttpServer,
  { workflow }: HttpContext,
): void {
  const tags = ["Dray"];
  server.route({
    method: "POST",
    url: "/jobs",
    schema: {
      tags,
      summary: "Submit a job in Dray's form",
      body: z.unknown().meta({ description: "See DrayJob" }),
      response: { 201: drayCreatedSchema, ...errorAnswers(400, 413, 429) },
    },
    handler: async ({ body, tenant }, reply) => {
      const { sent, job } = parseDrayJob(body);
      const newJob = jobOfDray(tenant.name, job);
      tenant.checkJob(newJob);
      const { snapshot } = await workflow.submit(newJob);
      reply
        .code(201)
        .type("application/json; charset=utf-8")
        .header("location", `/jobs/${snapshot.job.id}`);
      // By the schema the fields would come in its order, not in the sender's.
      reply.serializer((payload) => JSON.stringify(payload));
      return { id: snapshot.job.id, ...sent };
    },
  });
  server.route({
    method: "GET",
    url: "/jobs",
    schema: {
      tags,
      summary: "The ids of all jobs, the newest first",
      response: { 200: drayJobListSchema, ...errorAnswers() },
    },
    handler: ({ tenant }) => listIds(workflow, tenant.name),
  });
  server.route({
    method: "GET",
    url: "/jobs/:id",
    schema: {
      tags,
      summary: "A job's status",
      params,
      response: { 200: drayStatusSchema, ...errorAnswers(404) },
    },
    handler: async ({ tenant, params: { id } }) => {
      const { job } = await workflow.get({ tenant: tenant.name, id });
      return {
        id: job.id,
        stepsCompleted: stepsCompleted(job),
        status: drayStatus(job),
      };
    },
  });
  server.route({
    method: "DELETE",
    url: "/jobs/:id",
    schema: {
      tags,
      summary: "Forget a job; one that runs is not stopped",
      params,
      response: {
        204: z.null().meta({ description: "Forgotten" }),
        ...errorAnswers(404),
      },
    },
    handler: async ({ tenant, params: { id } }, reply) => {
      await workflow.forget({ tenant: tenant.name, id });
      return reply.code(204).send(null);
    },
  });
  registerLogRoute(server, { workflow });
}

function registerLogRoute(
  server: HttpServer,
  { workflow }: Pick<HttpContext, "workflow">,
): void {
  server.route({
    method: "GET",
    url: "/jobs/:id/log",
    schema: {
      tags: ["Dray"],
      summary: "Lines of a job's log",
      params,
      querystring: z.object({
        index: z
          .string()
          .optional()
          .meta({ description: "Of the first line wanted; default 0" }),
      }),
      response: { 200: drayLogSchema, ...errorAnswers(400, 404) },
    },
    handler: async ({ tenant, params: { id }, query }, reply) => {
      const lines = await workflow.logLines(
        { tenant: tenant.name, id },
        { index: parseRequestIndex(query.index), limit: maximumLines },
        closedSignal(reply),
      );
      return { lines: [...lines] };
    },
  });
}

/** The job, and as what it was sent: the answer echoes it. */
function parseDrayJob(body: unknown): { sent: DrayJob; job: DrayJob } {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  const sent = parseJsonText(withoutTrailingCommas(textOfBody(bytes)));
  const job = checked(drayJobSchema, sent);
  // Checked, and so of this type, with its fields in the order of sending.
  return { sent: sent as DrayJob, job };
}

async function listIds(
  workflow: HttpContext["workflow"],
  tenant: string,
): Promise<{ id: string }[]> {
  const ids: { id: string }[] = [];
  let cursor: string | undefined;
  do {
    const page = await workflow.list({ tenant, limit: pageSize, cursor });
    for (const { job } of page.jobs) ids.push({ id: job.id });
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}
