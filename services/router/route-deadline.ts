import type { RouteContext } from "../../lib/route/index.js";
import { Code, StatusError } from "../../lib/status/index.js";

/** A context that ends by itself. */
export interface RouteDeadline {
  readonly context: RouteContext;
  /** Lets go of timer and listener; to be called when the action is routed. */
  end(): void;
}

/**
 * Bounds how long one action is routed, whatever its caller allows: a caller
 * without a deadline must not wait for ever. The signal, its timer and its
 * listener are made when somebody asks for them, which warm actions never do.
 */
export function createRouteDeadline(
  caller: RouteContext,
  timeoutMs: number,
): RouteDeadline {
  let controller: AbortController | undefined;
  let release = () => {};

  function begin(): AbortController {
    const made = new AbortController();
    const cancel = () => made.abort(caller.signal.reason);
    const timer = setTimeout(() => {
      made.abort(
        new StatusError(
          Code.DeadlineExceeded,
          `The action was not routed within ${timeoutMs} ms`,
        ),
      );
    }, timeoutMs);
    caller.signal.addEventListener("abort", cancel);
    if (caller.signal.aborted) cancel();
    release = () => {
      clearTimeout(timer);
      caller.signal.removeEventListener("abort", cancel);
    };
    return made;
  }

  return {
    context: {
      get signal() {
        controller ??= begin();
        return controller.signal;
      },
    },
    end: () => release(),
  };
}
