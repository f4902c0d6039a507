import {
  type CasContext,
  type ContentAddressableStorage,
  createGrpcCasClients,
  type GrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../../lib/cas/index.js";
import { parseInstanceName } from "../../../lib/digest/index.js";
import { callUnary } from "../../../lib/grpc/index.js";
import { Code, StatusError, toStatusError } from "../../../lib/status/index.js";
import { chooseStateFolder } from "../up/state-folder.js";
import { findEngineAddress } from "./engine-configuration.js";
import type { ImageSettings } from "./image-settings.js";

/** Where `berth up` listens unless it is told otherwise. */
const usualAddress = "127.0.0.1:8980";

/** How long a CAS may take for its first answer, in milliseconds. */
const answerTimeoutMs = 5_000;

/** The CAS of a command, and what it was asked on whose behalf. */
export interface OpenCas {
  readonly cas: ContentAddressableStorage;
  readonly context: CasContext & { readonly signal: AbortSignal };
  readonly address: string;
  /** Folder of `berth up`. */
  readonly state: string;
  close(): void;
}

/**
 * Connects to the CAS that the settings name, or to that of the running
 * `berth up`. Throws Unavailable, with what to do, where nobody answers.
 */
export async function openCas(
  settings: ImageSettings,
  { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<OpenCas> {
  const state = chooseStateFolder("image", settings.state, env);
  const told = settings.cas ?? (await findEngineAddress(state));
  const address = told ?? usualAddress;
  const instanceName = parseInstanceName(settings.instance);
  const clients = createGrpcCasClients({ address });
  try {
    await checkAnswers(
      clients,
      instanceName,
      told === undefined
        ? `"${address}", which is usual where state folder "${state}" tells this user no other`
        : `"${address}"`,
    );
  } catch (error) {
    clients.close();
    throw error;
  }
  return {
    cas: new GrpcContentAddressableStorage(clients),
    context: { instanceName, signal },
    address,
    state,
    close: () => clients.close(),
  };
}

/** Asked once: the store itself would wait for a peer that restarts. */
async function checkAnswers(
  { capabilities }: GrpcCasClients,
  instanceName: string,
  where: string,
): Promise<void> {
  try {
    await callUnary(
      capabilities.getCapabilities.bind(capabilities),
      { instanceName },
      { deadline: new Date(Date.now() + answerTimeoutMs) },
    );
  } catch (error) {
    const { code, message } = toStatusError(error);
    if (code === Code.Unimplemented) return; // a bare CAS
    if (code !== Code.Unavailable && code !== Code.DeadlineExceeded) {
      throw new StatusError(
        code,
        `CAS at ${where} refuses to be asked: ${message}`,
        { cause: error },
      );
    }
    throw new StatusError(
      Code.Unavailable,
      `No CAS serves at ${where}: start one with "berth up", or name another by --cas`,
      { cause: error },
    );
  }
}
