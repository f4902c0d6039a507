import { setTimeout as sleep } from "node:timers/promises";
import type { ContentAddressableStorage } from "../../lib/cas/index.js";
import { Digest, type InstanceName } from "../../lib/digest/index.js";
import type { Logger } from "../../lib/log/index.js";
import { Code, toStatusError } from "../../lib/status/index.js";

/** A CAS, and a name by which to ask it. */
export interface CasProbe {
  readonly cas: ContentAddressableStorage;
  readonly instanceName: InstanceName;
}

/** Longest wait for one answer, in milliseconds. */
const attemptTimeoutMs = 2_000;

/** Wait between attempts, in milliseconds. */
const pauseMs = 500;

/**
 * Returns when every CAS has answered once. Later outages do not make the
 * router unready: a restart would help nobody, and callers get Unavailable.
 * Throws Cancelled when the signal is aborted first.
 */
export async function waitUntilReachable(
  probes: readonly CasProbe[],
  options: { log: Logger; signal: AbortSignal },
): Promise<void> {
  await Promise.all(probes.map((probe) => waitForOne(probe, options)));
}

async function waitForOne(
  probe: CasProbe,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<void> {
  for (let attempt = 1; !(await isReachable(probe, signal)); attempt++) {
    if (attempt === 1) {
      const { instanceName } = probe;
      log.warn("CAS does not answer, trying again", { instanceName });
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

async function isReachable(
  { cas, instanceName }: CasProbe,
  signal: AbortSignal,
): Promise<boolean> {
  const bounded = AbortSignal.any([
    signal,
    AbortSignal.timeout(attemptTimeoutMs),
  ]);
  // Any digest but the empty blob's, which is answered without asking.
  const digest = Digest.of(Buffer.from("berth"));
  try {
    await cas.findMissing([digest], { instanceName, signal: bounded });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const { code } = toStatusError(error);
    // Any other answer is an answer, a refusal as well.
    return code !== Code.Unavailable && code !== Code.DeadlineExceeded;
  }
}
