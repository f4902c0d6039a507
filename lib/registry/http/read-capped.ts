import { Code, StatusError } from "../../status/index.js";
import type { HttpResponse } from "./http-transport.js";

/**
 * Reads a whole body that must be small. Throws ResourceExhausted, beginning
 * with the subject, as soon as it is known to be larger; the rest is not read.
 */
export async function readCapped(
  response: HttpResponse,
  subject: string,
  maximumBytes: number,
): Promise<Uint8Array> {
  const stated = Number(response.header("content-length") ?? 0);
  if (stated > maximumBytes) {
    await response.discard();
    throw tooLarge(subject, maximumBytes);
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maximumBytes) throw tooLarge(subject, maximumBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(subject: string, maximumBytes: number): StatusError {
  return new StatusError(
    Code.ResourceExhausted,
    `${subject} has more than the ${maximumBytes} bytes allowed`,
  );
}
