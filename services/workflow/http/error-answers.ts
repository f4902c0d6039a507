import { errorViewSchema } from "../../../lib/job-api/index.js";

const descriptions: Readonly<Record<number, string>> = {
  400: "The request is wrong; the text names the field",
  401: "A token is needed, or it is not known",
  403: "Not allowed",
  404: "There is no such thing, or it is another tenant's",
  409: "The job is in another state",
  413: "The request's body is too large",
  415: "The Content-Type is not taken here",
  416: "The range lies beyond the end",
  421: "The server does not go by the name in the Host header",
  422: "The idempotency key was used for another job",
  429: "A limit of the service is reached",
  500: "Internal error",
  503: "The service or its store is away, try again",
  504: "It took too long",
};

/** Every route can answer these. */
const everywhere = [400, 401, 403, 421, 500, 503, 504];

/** The error answers of a route: those of all, and these. */
export function errorAnswers(
  ...statuses: readonly number[]
): Readonly<Record<number, typeof errorViewSchema>> {
  const all = [...new Set([...everywhere, ...statuses])].sort();
  return Object.fromEntries(
    all.map((status) => {
      const description = descriptions[status] ?? "An error";
      const content = {
        "application/json": { schema: errorViewSchema },
      };
      // As fastify-type-provider-zod wants it, but its types know the schema.
      const answer = { description, content };
      return [status, answer as unknown as typeof errorViewSchema];
    }),
  );
}
