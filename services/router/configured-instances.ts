import { z } from "zod";
import {
  createGrpcCasClients,
  type GrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../lib/cas/index.js";
import { readConfiguration } from "../../lib/configuration/index.js";
import { parseInstanceName } from "../../lib/digest/index.js";
import {
  createImagePolicy,
  parseImageReference,
  parseOciDigest,
  parsePlatform,
} from "../../lib/image/index.js";
import type { ImageResolver } from "../../lib/registry/index.js";
import {
  type CheckImage,
  createCommandReader,
  createCommandWriter,
  createRoutePipeline,
  type RouteSettings,
  type TagPolicy,
} from "../../lib/route/index.js";
import { wrap } from "../../lib/status/index.js";
import type {
  InstanceConfiguration,
  RouterConfiguration,
} from "./configuration.js";
import type { CasProbe } from "./readiness.js";
import type { RouterInstance } from "./router-instances.js";
import type { RouterMetrics } from "./router-metrics.js";
import { readTls } from "./tls-files.js";

/** What the instances of a configuration are, and what they hold open. */
export interface ConfiguredInstances {
  readonly instances: readonly RouterInstance[];
  /** Each CAS once. */
  readonly probes: readonly CasProbe[];
  /** Ends the connections to CAS. */
  close(): void;
}

/**
 * Builds what the configuration says of its instances. Reads certificates and
 * pins, connects to nothing. Throws InvalidArgument, naming the instance.
 */
export async function createConfiguredInstances(
  configuration: RouterConfiguration,
  parts: { images: ImageResolver; metrics: RouterMetrics },
): Promise<ConfiguredInstances> {
  const clients = new Map<string, GrpcCasClients>();
  const instances: RouterInstance[] = [];
  const probes = new Map<string, CasProbe>();
  for (const instance of configuration.instances) {
    try {
      const key = JSON.stringify(instance.cas);
      const open = clients.get(key) ?? (await createClients(instance));
      clients.set(key, open);
      const cas = new GrpcContentAddressableStorage(open);
      const prefix = parseInstanceName(instance.prefix);
      if (!probes.has(key)) probes.set(key, { cas, instanceName: prefix });
      const settings = await routeSettingsOf(instance, configuration);
      instances.push({
        prefix,
        ...createParts(settings, { ...parts, cas, configuration }),
      });
    } catch (error) {
      throw wrap(error, `Failed to configure instance "${instance.prefix}"`);
    }
  }
  return {
    instances,
    probes: [...probes.values()],
    close: () => {
      for (const open of clients.values()) open.close();
    },
  };
}

function createParts(
  settings: RouteSettings,
  parts: {
    cas: GrpcContentAddressableStorage;
    images: ImageResolver;
    metrics: RouterMetrics;
    configuration: RouterConfiguration;
  },
): Pick<RouterInstance, "pipeline" | "commands"> {
  const { cas, images, metrics } = parts;
  const { limits } = parts.configuration;
  return {
    pipeline: createRoutePipeline(settings, {
      images,
      commands: createCommandReader({
        cas,
        cacheSizeBytes: limits.commandCacheSize,
        maximumCommandSizeBytes: limits.commandSize,
        onLookup: (result) => metrics.countLookup("command", result),
      }),
    }),
    commands: createCommandWriter({
      cas,
      knownPresentMs: limits.knownPresent,
      maximumKnown: limits.knownPresentEntries,
      onLookup: (result) => metrics.countLookup("known_present", result),
    }),
  };
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
): Promise<RouteSettings> {
  return {
    imageProperties: instance.imageProperties,
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
    properties: new Map(Object.entries(instance.properties)),
  };
}

function checkImageOf(
  { prefix, images }: InstanceConfiguration,
  registries: RouterConfiguration["registries"],
): CheckImage {
  if (images === "any") return () => {};
  const listed = Object.keys(registries).map((host) => `${host}/**`);
  const policy = createImagePolicy([
    { instanceNamePrefix: prefix, images: images ?? ["**", ...listed] },
  ]);
  return (reference, instanceName) => policy.check(instanceName, reference);
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
