import { z } from "zod";
import { outputListingSchema } from "../../../../lib/job-api/index.js";
import { Code, StatusError } from "../../../../lib/status/index.js";
import { closedSignal } from "../closed-signal.js";
import { errorAnswers } from "../error-answers.js";
import type { HttpContext, HttpServer } from "../http-context.js";
import { sendBytes } from "./byte-answer.js";
import { idSchema } from "./job-schemas.js";

const step = z.string().max(63);

const bytes = z.string().meta({ format: "binary" });

/** What a step wrote, and what it left. */
export function registerStepRoutes(
  server: HttpServer,
  context: HttpContext,
): void {
  for (const stream of ["stdout", "stderr"] as const) {
    registerLogRoute(server, { context, stream });
  }
  registerOutputRoute(server, { context, url: "outputs/:name" });
  registerOutputRoute(server, { context, url: "outputs/:name/*" });
}

function registerLogRoute(
  server: HttpServer,
  { context, stream }: { context: HttpContext; stream: "stdout" | "stderr" },
): void {
  server.route({
    method: ["GET", "HEAD"],
    url: `/v1/jobs/:id/steps/:step/${stream}`,
    schema: {
      tags: ["Logs and outputs"],
      summary: `What a step wrote to ${stream}`,
      description:
        "Takes one Range. While the step runs, what is there is given (of a range without an end at most 1 MiB); with `follow=true` all that comes, too, until the step ends.",
      params: z.object({ id: idSchema, step }),
      querystring: z.strictObject({
        follow: z.enum(["true", "false"]).optional(),
      }),
      response: {
        ...bytesAnswer(200, "text/plain; charset=utf-8"),
        ...bytesAnswer(206, "text/plain; charset=utf-8"),
        ...errorAnswers(400, 404, 416, 429),
      },
    },
    handler: async (request, reply) => {
      const { params, query, tenant } = request;
      const key = { tenant: tenant.name, id: params.id };
      const log = { step: params.step, stream };
      const isFollowed = query.follow === "true";
      const sizeBytes = await context.workflow.logSize(key, log);
      reply.type("text/plain; charset=utf-8");
      return sendBytes(
        { request, reply },
        {
          sizeBytes,
          isFollowed,
          open: (offset, signal) =>
            context.workflow.readLog(
              key,
              { ...log, offset },
              { follow: isFollowed, signal },
            ),
        },
        context,
      );
    },
  });
}

function registerOutputRoute(
  server: HttpServer,
  { context, url }: { context: HttpContext; url: string },
): void {
  const isInside = url.endsWith("*");
  server.route({
    method: ["GET", "HEAD"],
    url: `/v1/jobs/:id/steps/:step/${url}`,
    schema: {
      tags: ["Logs and outputs"],
      summary: isInside
        ? "A file or directory in a directory that a step left"
        : "A file or directory that a step left",
      description:
        "A file is given as it is, for saving; takes one Range. A directory is listed.",
      params: z.object({
        id: idSchema,
        step,
        name: z.string().max(63),
        ...(isInside && { "*": z.string().max(4_096) }),
      }),
      response: {
        200: {
          description: "The file's bytes, or the directory's entries",
          content: {
            "application/octet-stream": { schema: bytes },
            "application/json": { schema: outputListingSchema },
          },
        } as unknown as typeof outputListingSchema,
        ...bytesAnswer(206, "application/octet-stream"),
        ...errorAnswers(400, 404, 409, 416),
      },
    },
    handler: async (request, reply) => {
      const { params, tenant } = request;
      const path = parsePath(
        "*" in params && typeof params["*"] === "string" ? params["*"] : "",
      );
      const content = await context.workflow.readOutput(
        { tenant: tenant.name, id: params.id },
        { step: params.step, name: params.name, path },
        closedSignal(reply),
      );
      if (content.kind === "directory") {
        return reply.type("application/json; charset=utf-8").send({
          entries: content.entries.map((entry) => ({ ...entry })),
        });
      }
      const fileName = path.slice(path.lastIndexOf("/") + 1) || params.name;
      reply
        .type("application/octet-stream")
        .header("content-disposition", attachment(fileName))
        .header("content-security-policy", "sandbox; default-src 'none'");
      return sendBytes(
        { request, reply },
        {
          sizeBytes: content.sizeBytes,
          isFollowed: false,
          open: (offset) => content.open(offset),
        },
        context,
      );
    },
  });
}

/** Described by its schema, and sent as a stream, which none checks. */
function bytesAnswer(status: 200 | 206, type: string) {
  const answer = {
    description: status === 200 ? "All bytes" : "The bytes of the range",
    content: { [type.split(";")[0] ?? type]: { schema: bytes } },
  };
  return { [status]: answer as unknown as typeof bytes };
}

/** Throws NotFound for a path that leads anywhere but further down. */
function parsePath(text: string): string {
  const path = text.replace(/\/$/, "");
  if (path === "") return "";
  const isPlain = path
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== "..");
  if (isPlain && !path.includes("\0")) return path;
  throw new StatusError(Code.NotFound, "There is no such file");
}

/** RFC 6266: the name for old clients, and in full. */
function attachment(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, "_");
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
