import { request } from "undici";

/** A server on this machine that takes longer does not serve. */
const timeoutMs = 1_000;

/** Whether whoever listens at a URL answers it well. */
export async function answersHttp(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const { statusCode, body } = await request(url, { signal });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false; // not there, or not yet
  }
}
