import { join } from "node:path";
import { type RegistryFlags, registryEntries } from "../registry-flags.js";
import type { Installation } from "./installation-process.js";

/** What `berth up` was told, and where it puts things. */
export interface LocalSettings extends RegistryFlags {
  /** Folder of everything; see the paths below. */
  readonly state: string;
  /** "host:port" of the engine. */
  readonly listen: string;
  /** "host:port" of page and API of jobs; undefined: there are none. */
  readonly jobsListen: string | undefined;
  readonly isRoot: boolean;
  /** Actions at a time; undefined: the machine's cores. */
  readonly jobs?: number | undefined;
  readonly cacheSize: string;
  readonly rootsSize: string;
  /** How images reach actions. */
  readonly mode: "bind_mount" | "inline";
  /** From where roots are made; inline it is always CAS. */
  readonly source: "registry" | "cas";
  readonly tags: "reject" | "resolve";
  readonly noImage: "pass" | "sandbox" | "reject";
  readonly network: "host" | "none";
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** Paths that several services agree on. */
export interface LocalPaths {
  /** Of the unix sockets; only its owner may enter. */
  readonly run: string;
  readonly fetcherSocket: string;
  readonly routerSocket: string;
  /** Of the engine, for the router alone, which may write to its cache. */
  readonly engineSocket: string;
  /** Of the generated configuration files. */
  readonly configuration: string;
  readonly store: string;
  readonly build: string;
  readonly engineState: string;
  /** Of the jobs' records. */
  readonly jobs: string;
  /** Large files on their way to CAS. */
  readonly spool: string;
  /** Key of what the router writes down about images. */
  readonly recordKey: string;
  /** Files of secrets that steps of jobs may name; only its owner may enter. */
  readonly secrets: string;
}

/** Where things are beneath the state folder. */
export function localPaths(state: string): LocalPaths {
  return {
    run: join(state, "run"),
    fetcherSocket: join(state, "run/root-fetcher.sock"),
    routerSocket: join(state, "run/router.sock"),
    engineSocket: join(state, "run/engine.sock"),
    configuration: join(state, "configuration"),
    store: join(state, "store"),
    build: join(state, "build"),
    engineState: join(state, "engine"),
    jobs: join(state, "jobs"),
    spool: join(state, "spool"),
    recordKey: join(state, "configuration/record.key"),
    secrets: join(state, "secrets"),
  };
}

/** Owner of the image store when root: a uid that nothing else has. */
const sandboxUid = 65_533;

/**
 * Where steps of jobs are executed: they go on while the service that watches
 * them is started again, and their output is data rather than text for people.
 */
const jobsInstance = {
  prefix: "jobs",
  abandonAfter: "2m",
  maximumOutputSize: "4GiB",
};

/** The configuration files by name, as values. */
export function localConfiguration(
  settings: LocalSettings,
  installation: Installation,
): {
  engine: unknown;
  router: unknown;
  rootFetcher: unknown;
  workflow: unknown;
  /** berth-exec's, in TOML. */
  helper: string;
} {
  const paths = localPaths(settings.state);
  const registries = registryEntries(settings);
  const instance = routerInstance(settings, installation);
  const log = { level: settings.logLevel };
  const common = { log, registries, dockerConfig: settings.dockerConfig };
  return {
    engine: {
      listen: [
        { address: settings.listen },
        { address: `unix:${paths.engineSocket}`, actionCacheUpdates: true },
      ],
      log,
      state: paths.engineState,
      build: paths.build,
      cas: { maximumSize: settings.cacheSize },
      concurrency: settings.jobs,
      platform: {
        OSFamily: ["linux", "Linux"],
        ISA: "x86-64",
        Arch: "amd64",
      },
      router: { address: `unix:${paths.routerSocket}` },
      helper: installation.helper,
      instances: [jobsInstance],
    },
    router: {
      ...common,
      listen: `unix:${paths.routerSocket}`,
      instances: [
        { prefix: "", ...instance },
        // Jobs come through a service of ours, which says whose they are.
        { prefix: "jobs", ...instance, secrets: ["*"] },
      ],
      imageImport: { spool: paths.spool },
    },
    rootFetcher: {
      ...common,
      store: paths.store,
      socket: paths.fetcherSocket,
      helper: installation.helper,
      ...(settings.isRoot ? { sandboxUid, sandboxGid: sandboxUid } : {}),
      maximumSize: settings.rootsSize,
      cas: { address: settings.listen },
    },
    workflow: {
      ...common,
      http: {
        listen: settings.jobsListen,
        // Requests may call it as it was called here.
        hosts: [settings.jobsListen?.replace(/:\d+$/, "") ?? ""],
      },
      engine: { address: settings.listen, instanceName: "jobs" },
      store: { kind: "sqlite", path: join(paths.jobs, "jobs.sqlite") },
      steps: { network: settings.network },
    },
    helper: helperToml(settings, paths),
  };
}

/** What all instances of the router have in common. */
function routerInstance(
  settings: LocalSettings,
  installation: Installation,
): Readonly<Record<string, unknown>> {
  const paths = localPaths(settings.state);
  return {
    cas: { address: settings.listen },
    helper: [
      installation.helper,
      `--config=${join(paths.configuration, "exec.toml")}`,
    ],
    // Whoever uses this machine's engine may use its network as well.
    images: "any",
    tags: { policy: settings.tags },
    noImage: settings.noImage,
    network: settings.network,
    mode: settings.mode,
    source: settings.source,
    casTrees: settings.source === "cas",
    imageRecords: {
      address: `unix:${paths.engineSocket}`,
      key: paths.recordKey,
    },
  };
}

function helperToml(settings: LocalSettings, paths: LocalPaths): string {
  const { state, dockerConfig } = settings;
  const hidden = dockerConfig === undefined ? [state] : [state, dockerConfig];
  const lines = [
    `store = ${quote(paths.store)}`,
    `socket = ${quote(paths.fetcherSocket)}`,
    `build_directory = ${quote(paths.build)}`,
    `secrets = ${quote(paths.secrets)}`,
    // The engine gives a pipe there: see docs/adr/0003.
    "fault_fd = 3",
    // Without an image the machine's root is shown, but not what is berth's,
    // nor the credentials that it was given.
    `hide = [${hidden.map(quote).join(", ")}]`,
  ];
  if (settings.isRoot) {
    lines.push(`sandbox_uid = ${sandboxUid}`, `sandbox_gid = ${sandboxUid}`);
  }
  return `${lines.join("\n")}\n`;
}

function quote(text: string): string {
  return JSON.stringify(text); // TOML's basic strings are JSON's
}
