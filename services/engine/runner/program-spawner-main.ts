import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { endLeftovers } from "./program-leftovers.js";
import { type ProgramOutcome, runProgram } from "./program-runner.js";
import type {
  SpawnerAnswer,
  SpawnerRequest,
} from "./program-spawner-protocol.js";

// The process that starts programs for an engine. It is small: what fork
// costs grows with the memory of whoever calls it, and stops that meanwhile.

type RunRequest = Extract<SpawnerRequest, { type: "run" }>;

const running = new Map<number, AbortController>();

process.on("message", (request: SpawnerRequest) => {
  if (request.type === "kill") running.get(request.id)?.abort(killed);
  else void answer(request);
});

// The engine is gone, whatever the reason: nothing of it lives on.
process.on("disconnect", () => {
  for (const controller of running.values()) controller.abort(killed);
});

// A terminal sends these to all of us; the engine tells when it is time.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

const killed = new StatusError(Code.Cancelled, "Program was killed");

async function answer(request: RunRequest): Promise<void> {
  const { id } = request;
  const controller = new AbortController();
  running.set(id, controller);
  try {
    send({ id, outcome: await run(request, controller.signal) });
  } catch (error) {
    const { code, message } = toStatusError(error);
    send({ id, code, text: message });
  } finally {
    running.delete(id);
  }
}

async function run(
  { program, leftovers }: RunRequest,
  signal: AbortSignal,
): Promise<ProgramOutcome> {
  let wasKilled = true;
  try {
    const outcome = await runProgram(program, signal);
    wasKilled = outcome.type === "timedOut";
    return outcome;
  } finally {
    await endLeftovers(leftovers, wasKilled);
  }
}

function send(message: SpawnerAnswer): void {
  // Without an engine nobody wants to know.
  if (process.connected) process.send?.(message);
}
