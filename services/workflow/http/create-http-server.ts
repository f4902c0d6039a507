import type { AddressInfo } from "node:net";
import { type FastifyReply, type FastifyRequest, fastify } from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { Registry } from "prom-client";
import type { Logger } from "../../../lib/log/index.js";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import type { Workflow } from "../workflow.js";
import { registerDrayRoutes } from "./dray/dray-routes.js";
import { errorAnswer } from "./error-answer.js";
import type { HttpConfiguration } from "./http-configuration.js";
import { answerMalformed, limitConnections } from "./http-connections.js";
import type { HttpContext, HttpServer } from "./http-context.js";
import { observeRequests, requestId } from "./observe-requests.js";
import { describeRoutes, registerOpenApiRoute } from "./openapi.js";
import { createRequestGuard } from "./request-guard.js";
import { securityHeaders } from "./security-headers.js";
import { readStaticPage, registerStaticPage } from "./static-page.js";
import { StreamSlots } from "./stream-slots.js";
import { configuredTenants, type Tenants } from "./tenants.js";
import { registerEventRoutes } from "./v1/event-routes.js";
import { registerJobRoutes } from "./v1/job-routes.js";
import { registerStepRoutes } from "./v1/step-routes.js";

/** Long enough for the id of an event, whatever the job. */
const maximumHeaderBytes = 32 * 2 ** 10;

/** What the server stands on. */
export interface HttpServerOptions {
  readonly workflow: Workflow;
  readonly configuration: HttpConfiguration;
  readonly metrics: Registry;
  readonly log: Logger;
  /** Folder of the web page; without it there is none. */
  readonly webRoot?: string | undefined;
}

/** A server that listens. */
export interface RunningHttpServer {
  /** "host:port". */
  readonly address: string;
  /**
   * Takes no requests any more, ends streams, and waits so long for what is
   * being answered; then connections are cut.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Serves jobs over HTTP: Dray's API under /jobs, our own under /v1, and the
 * page under /ui/. Throws what reading tokens and page does, and Unavailable
 * or PermissionDenied when it cannot listen.
 */
export async function createHttpServer(
  options: HttpServerOptions,
): Promise<RunningHttpServer> {
  const { configuration, log, metrics, webRoot } = options;
  const tenants = await configuredTenants(configuration.tenants);
  const page =
    webRoot === undefined ? new Map() : await readStaticPage(webRoot);
  const stopping = new AbortController();
  const { limits } = configuration;
  const context: HttpContext = {
    workflow: options.workflow,
    limits,
    slots: new StreamSlots({
      total: limits.streams,
      perTenant: limits.streamsPerTenant,
    }),
    stopping: stopping.signal,
    sink: (error) => log.error("Failed in the middle of an answer", { error }),
  };
  const server = newServer(limits);
  limitConnections(server.server, limits);
  prepare(server, { configuration, log });
  // Connections that were busy when the server was told to stop.
  server.addHook("onResponse", async () => {
    if (!stopping.signal.aborted) return;
    setImmediate(() => server.server.closeIdleConnections());
  });
  observeRequests(server, { log, metrics, slots: context.slots });
  await describeRoutes(server);
  await server.register((scope, _options, done) => {
    takeAnyBody(scope, tenants);
    registerJobRoutes(scope, context);
    registerEventRoutes(scope, context);
    registerStepRoutes(scope, context);
    done();
  });
  await server.register((scope, _options, done) => {
    takeAnyBody(scope, tenants);
    answerErrorsAsDray(scope, log);
    registerDrayRoutes(scope, context);
    done();
  });
  registerOpenApiRoute(server);
  registerStaticPage(server, page);
  const address = await listen(server, configuration.listen);
  return {
    address,
    stop: async (graceMs) => {
      stopping.abort();
      const cut = setTimeout(
        () => server.server.closeAllConnections(),
        graceMs,
      );
      await server.close();
      clearTimeout(cut);
    },
  };
}

function newServer(limits: HttpConfiguration["limits"]): HttpServer {
  const server = fastify({
    logger: false,
    genReqId: requestId,
    bodyLimit: limits.bodySize,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAlive,
    connectionTimeout: limits.stall,
    forceCloseConnections: "idle",
    return503OnClosing: true,
    exposeHeadRoutes: false,
    http: {
      maxHeaderSize: maximumHeaderBytes,
      headersTimeout: limits.requestTimeout,
    },
    routerOptions: { maxParamLength: 100 },
    clientErrorHandler: answerMalformed,
    frameworkErrors: (error, request, reply) => {
      const answer = errorAnswer(error);
      // No route, and so no schema of answers, is known here.
      void (reply as FastifyReply)
        .code(answer.status)
        .headers({ ...securityHeaders, "x-request-id": request.id })
        .send(answer.body);
    },
  }).withTypeProvider<ZodTypeProvider>();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  return server;
}

function prepare(
  server: HttpServer,
  { configuration, log }: { configuration: HttpConfiguration; log: Logger },
): void {
  const guard = createRequestGuard(configuration.hosts);
  server.decorateRequest("bodyDigest", "");
  server.addHook("onRequest", async (request, reply) => {
    reply.headers({ ...securityHeaders, "x-request-id": request.id });
    guard(request);
  });
  server.setErrorHandler((error, request, reply) =>
    answerError({ error, request, reply }, log),
  );
  server.setNotFoundHandler(() => {
    throw new StatusError(Code.NotFound, "There is no such route");
  });
}

/** Who asks is known before a byte of the body is read. */
function takeAnyBody(server: HttpServer, tenants: Tenants): void {
  server.addHook("onRequest", async (request) => {
    request.tenant = tenants.authenticate(request.headers.authorization);
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    "*",
    { parseAs: "buffer" },
    (_request, body, done) => done(null, body),
  );
}

/** Dray's document knows one status for what is not the client's doing. */
function answerErrorsAsDray(server: HttpServer, log: Logger): void {
  server.addHook("onRequest", async ({ raw }) => {
    // Whatever it says, even nonsense, the body is JSON.
    delete raw.headers["content-type"];
  });
  server.setErrorHandler((error, request, reply) =>
    answerError({ error, request, reply, serverErrorStatus: 500 }, log),
  );
}

function answerError(
  {
    error,
    request,
    reply,
    serverErrorStatus,
  }: {
    error: unknown;
    request: FastifyRequest;
    reply: FastifyReply;
    serverErrorStatus?: number;
  },
  log: Logger,
): FastifyReply {
  const { status, headers, body, isUnexpected } = errorAnswer(error);
  if (isUnexpected) {
    log.error("Failed to answer request", { requestId: request.id, error });
  }
  const shown = status >= 500 ? (serverErrorStatus ?? status) : status;
  reply.serializer((payload) => JSON.stringify(payload));
  return reply
    .code(shown)
    .headers(headers)
    .type("application/json; charset=utf-8")
    .send(body);
}

async function listen(server: HttpServer, address: string): Promise<string> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(colon + 1));
  await server.listen({ host, port }).catch((error: unknown) => {
    throw wrap(error, `Failed to serve jobs on "${address}"`);
  });
  const bound = server.server.address() as AddressInfo; // TCP, so no path
  const shown = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return `${shown}:${bound.port}`;
}
