import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { closedSignal } from "../closed-signal.js";
import { errorAnswers } from "../error-answers.js";
import type { HttpContext, HttpServer } from "../http-context.js";
import { jobEventStream } from "./job-event-stream.js";
import { jobParamsSchema } from "./job-schemas.js";
import { LogCursor } from "./log-cursor.js";

const events = {
  description:
    "Server-sent events; see JobMessage. Ends behind the event `end`; without it, come again with Last-Event-ID.",
  content: { "text/event-stream": { schema: z.string() } },
};

/** What happens to a job, while it happens. */
export function registerEventRoutes(
  server: HttpServer,
  { workflow, limits, slots, stopping, sink }: HttpContext,
): void {
  server.route({
    method: "GET",
    url: "/v1/jobs/:id/events",
    exposeHeadRoute: false,
    schema: {
      tags: ["Jobs"],
      summary: "Follow a job",
      params: jobParamsSchema,
      querystring: z.strictObject({
        log: z
          .enum(["true", "false"])
          .optional()
          .meta({ description: "Whether the steps' logs are sent, too" }),
      }),
      headers: z.object({
        "last-event-id": z.string().max(16_384).optional(),
      }),
      response: {
        // As fastify-type-provider-zod wants it; a stream is not checked.
        200: events as unknown as z.ZodString,
        ...errorAnswers(400, 404, 429),
      },
    },
    handler: async (request, reply) => {
      const { params, query, headers, tenant } = request;
      const key = { tenant: tenant.name, id: params.id };
      const { job } = await workflow.get(key);
      const last = headers["last-event-id"] ?? "";
      const cursor =
        query.log === "true"
          ? LogCursor.parse(last === "" ? "-" : last, job.steps.length)
          : undefined;
      const free = slots.take(tenant.name);
      reply.raw.once("close", free);
      const stream = Readable.from(
        jobEventStream({
          workflow,
          key,
          cursor,
          heartbeatMs: limits.heartbeat,
          signal: closedSignal(reply),
          stopping,
        }),
        { objectMode: false },
      );
      stream.on("error", (error) => {
        if (!reply.raw.destroyed) sink(error);
      });
      reply
        .type("text/event-stream; charset=utf-8")
        .header("x-accel-buffering", "no");
      return (reply as FastifyReply).send(stream); // no text, as the schema says
    },
  });
}
