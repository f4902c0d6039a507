import { fastifySwagger } from "@fastify/swagger";
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
} from "fastify-type-provider-zod";
import type { HttpServer } from "./http-context.js";

const description = `Jobs: steps of containers, run as remote execution actions.

Under /v1 is berth's own API, and under /jobs the API of Dray. Errors are alike
in both. Where the service has tenants, requests bear a token, and jobs of
others are as if they did not exist.`;

/** Describes the routes that are added from now on (OpenAPI 3.1). */
export async function describeRoutes(server: HttpServer): Promise<void> {
  await server.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "berth jobs", version: "1", description },
      components: {
        securitySchemes: {
          bearer: {
            type: "http",
            scheme: "bearer",
            description: "Needed where the service has tenants",
          },
        },
      },
      // Either a token, or nothing where the service has no tenants.
      security: [{ bearer: [] }, {}],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
}

/** Serves the description. */
export function registerOpenApiRoute(server: HttpServer): void {
  server.route({
    method: "GET",
    url: "/v1/openapi.json",
    schema: { hide: true },
    handler: (_request, reply) =>
      reply.type("application/json; charset=utf-8").send(server.swagger()),
  });
}
