import { setTimeout as sleep } from "node:timers/promises";
import {
  HealthCheckResponse_ServingStatus,
  HealthClient,
} from "#proto/grpc/health/v1/health.js";
import {
  callUnary,
  channelCredentials,
  channelOptions,
} from "../../../lib/grpc/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";

/** Between two questions; a service starts in about a third of a second. */
const intervalMs = 50;

/**
 * Waits until a gRPC server says that it serves. Throws DeadlineExceeded,
 * naming the service, after `timeoutMs`.
 */
export async function waitUntilServing(options: {
  name: string;
  address: string;
  timeoutMs: number;
  signal: AbortSignal;
}): Promise<void> {
  const client = new HealthClient(
    options.address,
    channelCredentials(),
    channelOptions({}),
  );
  const end = Date.now() + options.timeoutMs;
  try {
    while (!options.signal.aborted) {
      if (await isServing(client)) return;
      if (Date.now() >= end) {
        throw new StatusError(
          Code.DeadlineExceeded,
          `The ${options.name} did not start within ${options.timeoutMs / 1000} seconds: its lines above say why`,
        );
      }
      await sleep(intervalMs);
    }
  } finally {
    client.close();
  }
}

/**
 * Asks once whether a server serves. Throws Unavailable, with what to do, when
 * it does not answer within a second.
 */
export async function checkServing(address: string): Promise<void> {
  if (await isServingAt(address)) return;
  throw new StatusError(
    Code.Unavailable,
    `No engine serves at "${address}": start one with "berth up", or name another by --engine`,
  );
}

/** Asks once whether a server serves; false after a second. */
export async function isServingAt(address: string): Promise<boolean> {
  const client = new HealthClient(
    address,
    channelCredentials(),
    channelOptions({}),
  );
  try {
    return await isServing(client);
  } finally {
    client.close();
  }
}

async function isServing(client: HealthClient): Promise<boolean> {
  try {
    const { status } = await callUnary(
      client.check.bind(client),
      { service: "" },
      { deadline: new Date(Date.now() + 1_000) },
    );
    return status === HealthCheckResponse_ServingStatus.SERVING;
  } catch {
    return false; // not there yet
  }
}
