import type { IncomingMessage, ServerResponse } from "node:http";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Workflow } from "../workflow.js";
import type { HttpConfiguration } from "./http-configuration.js";
import type { StreamSlots } from "./stream-slots.js";
import type { Tenant } from "./tenants.js";

/** The server, to which routes are added. */
export type HttpServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What routes stand on. */
export interface HttpContext {
  readonly workflow: Workflow;
  readonly limits: HttpConfiguration["limits"];
  /** Places for answers without a foreseeable end. */
  readonly slots: StreamSlots;
  /** Aborted when the server stops: answers without an end, end. */
  readonly stopping: AbortSignal;
  /** Is told of failures when the answer's head has been sent already. */
  readonly sink: (error: unknown) => void;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; set before the handler of every route that needs a token. */
    tenant: Tenant;
    /** SHA-256 of the body as it was sent, where a route wants it. */
    bodyDigest: string;
  }
}
