import { z } from "zod";
import {
  createGrpcCasClients,
  type GrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../lib/cas/index.js";
import type { AuthenticatedRecords } from "../../lib/cas-image/index.js";
import { readConfiguration } from "../../lib/configuration/index.js";
import { parseInstanceName } from "../../lib/digest/index.js";
import { type ErrorSink, readTls } from "../../lib/grpc/index.js";
import {
  createImagePolicy,
  parseImageReference,
  parseOciDigest,
  parsePlatform,
} from "../../lib/image/index.js";
import type { ImageResolver } from "../../lib/registry/index.js";
import {
  type CheckImage,
  createBlobWriter,
  createCommandReader,
  createRoutePipeline,
  type ImageDelivery,
  type RouteSettings,
  type TagPolicy,
} from "../../lib/route/index.js";
import { Code, StatusError, wrap } from "../../lib/status/index.js";
import type {
  InstanceConfiguration,
  RouterConfiguration,
} from "./configuration.js";
import {
  createConfiguredImageTrees,
  createConfiguredRecords,
} from "./configured-image-trees.js";
import type { ConfiguredImages } from "./configured-images.js";
import type { CasProbe } from "./readiness.js";
import type { RouterInstance } from "./router-instances.js";
import type { RouterMetrics } from "./router-metrics.js";

/** What the instances of a configuration are, and what they hold open. */
export interface ConfiguredInstances {
  readonly instances: readonly RouterInstance[];
  /** Each CAS once. */
  readonly probes: readonly CasProbe[];
  /** Ends imports and the connections to CAS. */
  close(): Promise<void>;
}

/** What instances share. */
interface SharedParts {
  readonly configuration: RouterConfiguration;
  readonly images: ConfiguredImages;
  /** Has a resolver's times observed. */
  readonly observe: (images: ImageResolver) => ImageResolver;
  readonly metrics: RouterMetrics;
  /** Told of failures that no caller waits for. */
  readonly sink: ErrorSink;
}

/**
 * Reads and writes of actions that come within this time share a call, in
 * milliseconds. Of 3,000 a second each would else have calls to CAS of its own,
 * which cost more than all that is done for it; one by itself waits for nobody.
 */
const gatherMs = 4;

/**
 * Builds what the configuration says of its instances. Reads certificates and
 * pins, connects to nothing. Throws InvalidArgument, naming the instance.
 */
export async function createConfiguredInstances(
  configuration: RouterConfiguration,
  parts: Omit<SharedParts, "configuration">,
): Promise<ConfiguredInstances> {
  const clients = new Map<string, GrpcCasClients>();
  const instances: RouterInstance[] = [];
  const probes = new Map<string, CasProbe>();
  const closers: (() => void | Promise<void>)[] = [];
  for (const instance of configuration.instances) {
    try {
      const key = JSON.stringify(instance.cas);
      const open = clients.get(key) ?? (await createClients(instance));
      clients.set(key, open);
      const cas = new GrpcContentAddressableStorage(open, { gatherMs });
      const prefix = parseInstanceName(instance.prefix);
      if (!probes.has(key)) probes.set(key, { cas, instanceName: prefix });
      const shared = { ...parts, configuration };
      const built = await createParts(instance, cas, shared);
      closers.push(built.close);
      instances.push({ prefix, ...built });
    } catch (error) {
      throw wrap(error, `Failed to configure instance "${instance.prefix}"`);
    }
  }
  return {
    instances,
    probes: [...probes.values()],
    close: async () => {
      await Promise.all(closers.map((close) => close()));
      for (const open of clients.values()) open.close();
    },
  };
}

async function createParts(
  instance: InstanceConfiguration,
  cas: GrpcContentAddressableStorage,
  parts: SharedParts,
): Promise<
  Pick<RouterInstance, "pipeline" | "blobs"> & { close(): Promise<void> }
> {
  const { images, metrics, configuration } = parts;
  const { limits } = configuration;
  const recording = await createConfiguredRecords(instance, parts.sink);
  const records = recording?.records;
  const delivering = await createDelivery(instance, { ...parts, cas, records });
  const settings = await routeSettingsOf(instance, configuration);
  return {
    pipeline: createRoutePipeline(
      { ...settings, delivery: delivering.delivery },
      {
        images: parts.observe(images.createResolver(records)),
        commands: createCommandReader({
          cas,
          cacheSizeBytes: limits.commandCacheSize,
          maximumCommandSizeBytes: limits.commandSize,
          onLookup: (result) => metrics.countLookup("command", result),
        }),
      },
    ),
    blobs: createBlobWriter({
      cas,
      knownPresentMs: limits.knownPresent,
      maximumKnown: limits.knownPresentEntries,
      onLookup: (result) => metrics.countLookup("known_present", result),
    }),
    close: async () => {
      await delivering.close();
      recording?.close();
    },
  };
}

async function createDelivery(
  instance: InstanceConfiguration,
  parts: SharedParts & {
    readonly cas: GrpcContentAddressableStorage;
    readonly records: AuthenticatedRecords | undefined;
  },
): Promise<{ readonly delivery: ImageDelivery; close(): Promise<void> }> {
  const { mode, casTrees, layouts } = instance;
  const { source = mode === "inline" ? "cas" : "registry" } = instance;
  if (mode === "inline" && source !== "cas") {
    throw refuse('Source of mode "inline" must be "cas"', source);
  }
  if (source === "registry") {
    if (casTrees || layouts.length > 0) {
      throw refuse(
        'Trees in CAS and layouts need mode "inline" or source "cas"',
        source,
      );
    }
    const delivery = { mode: "bind_mount", source: "registry" } as const;
    return { delivery, close: async () => {} };
  }
  const tls = await readTls(instance.cas.tls);
  const { address } = instance.cas;
  const { trees, close } = createConfiguredImageTrees({
    ...parts,
    source: parts.images.source,
    address: { address, ...(tls === undefined ? {} : { tls }) },
  });
  return mode === "inline"
    ? { delivery: { mode, trees }, close }
    : { delivery: { mode, source: "cas", trees }, close };
}

function refuse(rule: string, current: string): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `${rule}: current value is "${current}"`,
  );
}

async function createClients({
  cas,
}: InstanceConfiguration): Promise<GrpcCasClients> {
  const tls = await readTls(cas.tls);
  return createGrpcCasClients({
    address: cas.address,
    ...(tls === undefined ? {} : { tls }),
  });
}

async function routeSettingsOf(
  instance: InstanceConfiguration,
  { registries }: RouterConfiguration,
): Promise<Omit<RouteSettings, "delivery">> {
  return {
    imageProperties: instance.imageProperties,
    imageKinds: {
      allowCas: instance.casTrees,
      allowLayouts: instance.layouts.length > 0,
    },
    checkImage: checkImageOf(instance, registries),
    tags: await readTagPolicy(instance.tags),
    defaultPlatform: parsePlatform(instance.defaultPlatform),
    noImage: instance.noImage,
    helper: {
      command: instance.helper,
      defaultNetwork: instance.network,
      imageUser: instance.imageUser,
      infrastructureFailureFile: instance.infrastructureFailureFile,
    },
    networks: instance.networks,
    secrets: instance.secrets,
    properties: new Map(Object.entries(instance.properties)),
  };
}

function checkImageOf(
  { prefix, images, layouts, casTrees }: InstanceConfiguration,
  registries: RouterConfiguration["registries"],
): CheckImage {
  const listed = Object.keys(registries).map((host) => `${host}/**`);
  const policy = createImagePolicy([
    {
      instanceNamePrefix: prefix,
      images: images === "any" ? [] : (images ?? ["**", ...listed]),
      layoutDirectories: layouts,
      allowCas: casTrees,
    },
  ]);
  return (reference, instanceName) => {
    if (images === "any" && reference.kind === "registry") return;
    policy.check(instanceName, reference);
  };
}

/** Keys are read as references, so that any spelling of a tag pins it. */
async function readTagPolicy(
  tags: InstanceConfiguration["tags"],
): Promise<TagPolicy> {
  if (tags.policy !== "pin") return { kind: tags.policy };
  const schema = z.record(z.string(), z.string());
  const entries = Object.entries(await readConfiguration(tags.pins, schema));
  const pins = entries.map(
    ([tag, digest]) =>
      [
        parseImageReference(tag).toString(),
        parseOciDigest(digest, `Digest of "${tag}" in "${tags.pins}"`),
      ] as const,
  );
  return { kind: "pin", pins: new Map(pins) };
}
