import type { FastifyReply } from "fastify";

/** Aborted when the answer is sent, or the client has left before. */
export function closedSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  if (raw.destroyed || raw.closed) controller.abort();
  raw.once("close", () => controller.abort());
  return controller.signal;
}
