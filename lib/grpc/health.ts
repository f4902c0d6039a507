import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "#proto/grpc/health/v1/health.js";
import { Code, StatusError } from "../status/index.js";
import {
  type ErrorSink,
  implementServerStream,
  implementUnary,
} from "./implement.js";

/** The health service of one server (gRPC health checking protocol). */
export interface Health {
  readonly implementation: UntypedServiceImplementation;
  /** Changes the state of the server as a whole; watchers are told. */
  set(status: HealthCheckResponse_ServingStatus): void;
}

/** A health service that knows only the server as a whole (empty name). */
export function createHealth(sink: ErrorSink): Health {
  let current = 0 as HealthCheckResponse_ServingStatus; // UNKNOWN
  const wakers = new Set<() => void>();

  function check(request: HealthCheckRequest): void {
    if (request.service === "") return;
    throw new StatusError(
      Code.NotFound,
      `No health is kept for service "${request.service}": ask for ""`,
    );
  }

  async function* watch(
    request: HealthCheckRequest,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<HealthCheckResponse> {
    check(request);
    while (!signal.aborted) {
      const sent = current;
      yield { status: sent };
      while (current === sent && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
  }

  return {
    implementation: {
      check: implementUnary(async (request: HealthCheckRequest) => {
        check(request);
        return { status: current };
      }, sink),
      watch: implementServerStream(watch, sink),
    },
    set: (status) => {
      current = status;
      for (const wake of wakers) wake();
      wakers.clear();
    },
  };
}
