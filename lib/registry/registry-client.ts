import {
  type Descriptor,
  type ImageReference,
  indexMediaTypes,
  manifestMediaTypes,
  maximumManifestSizeBytes,
  ociDigestOf,
  parseRegistryHost,
  type RegistryReference,
} from "../image/index.js";
import { Code, StatusError, wrap } from "../status/index.js";
import {
  type CredentialStore,
  noCredentials,
} from "./authentication/credential.js";
import { RegistryAuthenticator } from "./authentication/registry-authenticator.js";
import {
  type HttpResponse,
  type HttpTimeouts,
  HttpTransport,
} from "./http/http-transport.js";
import { readCapped } from "./http/read-capped.js";
import { type RetryOptions, retry, sleepOnClock } from "./http/retry.js";
import type {
  FetchedManifest,
  FetchOptions,
  ImageSource,
} from "./image-source.js";
import { readResuming } from "./read-resuming.js";
import { registryEndpointOf } from "./registry-endpoint.js";
import {
  attemptRegistryRequest,
  type RegistryRequest,
} from "./registry-request.js";
import type { RegistrySettingsByHost } from "./registry-settings.js";
import { verifyBlob } from "./verify-blob.js";

/** What a registry client is made of; everything has a default. */
export interface RegistryClientOptions {
  /** By host[:port]. */
  readonly registries?: RegistrySettingsByHost;
  /** Default: none, every registry is used anonymously. */
  readonly credentials?: CredentialStore;
  readonly timeouts?: Partial<HttpTimeouts>;
  readonly retry?: Partial<RetryOptions>;
  /** Milliseconds, on a clock that never goes back. */
  readonly now?: () => number;
}

const defaultTimeouts: HttpTimeouts = {
  connectMs: 10_000,
  // Registries that fetch from another one first are slow to begin.
  headersMs: 30_000,
  idleMs: 20_000,
};

const defaultRetry: Omit<RetryOptions, "now"> = {
  attempts: 4,
  initialDelayMs: 250,
  maximumDelayMs: 5_000,
  // With the timeouts above, who waits for a silent registry is told within
  // 30 to 60 seconds.
  maximumWaitMs: 30_000,
  maximumRetryAfterMs: 30_000,
  sleep: sleepOnClock,
  random: Math.random,
};

const accept = [...manifestMediaTypes, ...indexMediaTypes].join(", ");

/**
 * Reads images from registries (OCI distribution specification, "Pull"; also
 * Docker's registry). Owns its connections until it is closed. Errors name the
 * image, what was refused and by whom, and never hold a credential or a
 * redirect's URL.
 */
export class RegistryClient implements ImageSource {
  readonly #registries: RegistrySettingsByHost;
  readonly #transport: HttpTransport;
  readonly #authenticator: RegistryAuthenticator;
  readonly #retry: RetryOptions;

  constructor(options: RegistryClientOptions = {}) {
    const { registries = {}, credentials = noCredentials } = options;
    this.#registries = listWithMirrors(registries);
    const timeouts = { ...defaultTimeouts, ...options.timeouts };
    const now = options.now ?? (() => performance.now());
    this.#transport = new HttpTransport(timeouts, now);
    this.#authenticator = new RegistryAuthenticator({
      transport: this.#transport,
      credentials,
      now,
    });
    this.#retry = { ...defaultRetry, now, ...options.retry };
  }

  async fetchManifest(
    reference: ImageReference,
    { signal }: FetchOptions = {},
  ): Promise<FetchedManifest> {
    const doing = `Failed to fetch manifest of "${reference}"`;
    try {
      return await this.#fetchManifest(inRegistry(reference), signal);
    } catch (error) {
      throw wrap(error, doing);
    }
  }

  async *openBlob(
    reference: ImageReference,
    descriptor: Descriptor,
    { signal }: FetchOptions = {},
  ): AsyncGenerator<Uint8Array> {
    try {
      const registryReference = inRegistry(reference);
      const bytes = readResuming({
        sizeBytes: descriptor.sizeBytes,
        open: (offset) =>
          this.#openBlobAt(registryReference, descriptor, { offset, signal }),
        retry: this.#retry,
        signal,
      });
      yield* verifyBlob(descriptor, bytes);
    } catch (error) {
      const { digest } = descriptor;
      throw wrap(error, `Failed to fetch blob ${digest} of "${reference}"`);
    }
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #fetchManifest(
    reference: RegistryReference,
    signal: AbortSignal | undefined,
  ): Promise<FetchedManifest> {
    const request = this.#request(reference, {
      path: `manifests/${reference.digest ?? reference.tag}`,
      headers: { accept },
      wanted: [200],
      signal,
    });
    // The body belongs to the attempt: it is short, and begun anew if it
    // breaks.
    const fetched = await retry(
      async () => {
        const outcome = await this.#attempt(request);
        if (!("value" in outcome)) return outcome;
        const { response, isPrivate } = outcome.value;
        return { value: { ...(await readManifest(response)), isPrivate } };
      },
      this.#retry,
      signal,
    );
    if (reference.digest !== undefined && fetched.digest !== reference.digest) {
      throw new StatusError(
        Code.DataLoss,
        `registry "${reference.registry}" sends other bytes, their digest is ${fetched.digest}`,
      );
    }
    return fetched;
  }

  async #openBlobAt(
    reference: RegistryReference,
    descriptor: Descriptor,
    at: { offset: number; signal: AbortSignal | undefined },
  ): Promise<HttpResponse> {
    const isWhole = at.offset === 0;
    const request = this.#request(reference, {
      path: `blobs/${descriptor.digest}`,
      headers: isWhole ? {} : { range: `bytes=${at.offset}-` },
      wanted: isWhole ? [200] : [200, 206, 416],
      signal: at.signal,
    });
    const attempt = () => this.#attempt(request);
    const { response } = await retry(attempt, this.#retry, at.signal);
    return response;
  }

  #request(
    reference: RegistryReference,
    rest: Omit<RegistryRequest, "endpoint" | "repository">,
  ): RegistryRequest {
    const { registry, repository } = reference;
    const endpoint = registryEndpointOf(registry, this.#registries);
    return { endpoint, repository, ...rest };
  }

  #attempt(request: RegistryRequest) {
    return attemptRegistryRequest(request, {
      transport: this.#transport,
      authenticator: this.#authenticator,
    });
  }
}

/** By canonical host; a mirror counts as listed by being named as one. */
function listWithMirrors(
  registries: RegistrySettingsByHost,
): RegistrySettingsByHost {
  const listed = Object.entries(registries);
  const mirrors = listed.flatMap(([, { mirrors = [] }]) => mirrors);
  return Object.fromEntries([
    ...mirrors.map((host) => [parseRegistryHost(host), {}] as const),
    ...listed.map(([host, own]) => [parseRegistryHost(host), own] as const),
  ]);
}

function inRegistry(reference: ImageReference): RegistryReference {
  if (reference.kind === "registry") return reference;
  throw new StatusError(
    Code.InvalidArgument,
    "it does not name an image in a registry",
  );
}

async function readManifest(response: HttpResponse): Promise<FetchedManifest> {
  const { subject } = response;
  const data = await readCapped(
    response,
    `Manifest sent by ${subject}`,
    maximumManifestSizeBytes,
  );
  // The header Docker-Content-Digest is not looked at: only bytes count.
  return {
    digest: ociDigestOf(data),
    contentType: response.header("content-type"),
    data,
  };
}
