import {
  invalidProperty,
  readNetwork,
  readSwitch,
  tryParseUser,
} from "./property-value.js";
import {
  readCollect,
  readPlace,
  readSecret,
  readStdin,
  readWorkdir,
} from "./read-step-wish.js";
import type { Network } from "./routed-action.js";
import type { StepWish } from "./step-wish.js";

/** What the router does with a platform property of this name. */
export type PropertyRule =
  /** Stays on the platform, and so chooses the queue. */
  | { readonly kind: "pass" }
  /** Taken off: means nothing here, or what it asks for always holds. */
  | { readonly kind: "drop" }
  /** Taken off, and asks for a network; undefined: for none in particular. */
  | {
      readonly kind: "network";
      read(name: string, value: string): Network | undefined;
    }
  /** Taken off, and asks for a user, as the helper's flag says it. */
  | {
      readonly kind: "user";
      read(name: string, value: string): string | undefined;
    }
  /** Taken off, and asks for what the step of a job needs. */
  | { readonly kind: "step"; read(name: string, value: string): StepWish }
  /** Taken off where the value is harmless, else the action is refused. */
  | {
      readonly kind: "refuse";
      readonly reason: string;
      isHarmless(name: string, value: string): boolean;
    };

const drop: PropertyRule = { kind: "drop" };

function refuse(
  reason: string,
  isHarmless: (name: string, value: string) => boolean = () => false,
): PropertyRule {
  return { kind: "refuse", reason, isHarmless };
}

const switchedOff = (name: string, value: string) => !readSwitch(name, value);

function readUser(name: string, value: string): string | undefined {
  if (value === "") return undefined;
  const user = tryParseUser(value);
  if (user !== undefined) return user;
  const rule = 'be "user[:group]", each a name or a number';
  throw invalidProperty(name, value, rule);
}

const empty = (_name: string, value: string) => value === "";

/** Isolation that the sandbox gives; a virtual machine would be more. */
const ordinaryIsolation = new Set(["", "none", "bare", "docker", "podman"]);
ordinaryIsolation.add("oci").add("sandbox");

/**
 * The properties that clients of other systems send, and what becomes of
 * each. A name that is not listed passes. The reference in docs follows this
 * table.
 */
const dictionary: Readonly<Record<string, PropertyRule>> = {
  // Network: four spellings of one wish.
  dockerNetwork: { kind: "network", read: readNetwork },
  network: { kind: "network", read: readNetwork },
  "block-network": {
    kind: "network",
    read: (name, value) => (readSwitch(name, value) ? "none" : "host"),
  },
  "requires-network": {
    kind: "network",
    read: (name, value) => (readSwitch(name, value) ? "host" : "none"),
  },
  "requires-external": {
    kind: "network",
    // That nothing external is required does not ask for isolation.
    read: (name, value) => (readSwitch(name, value) ? "host" : undefined),
  },

  // User.
  dockerRunAsRoot: {
    kind: "user",
    read: (name, value) => (readSwitch(name, value) ? "root" : undefined),
  },
  dockerUser: { kind: "user", read: readUser },
  "berth-user": { kind: "user", read: readUser },

  // Steps of jobs.
  "berth-workdir": { kind: "step", read: readWorkdir },
  "berth-stdin": { kind: "step", read: readStdin },
  "berth-place": { kind: "step", read: readPlace },
  "berth-collect": { kind: "step", read: readCollect },
  "berth-secret": { kind: "step", read: readSecret },

  // More rights than any action gets.
  dockerPrivileged: refuse(
    "actions never get privileges on the worker",
    switchedOff,
  ),
  dockerAddCapabilities: refuse(
    "actions never get capabilities on the worker",
    empty,
  ),
  dockerSiblingContainers: refuse(
    "there is no Docker daemon on the worker",
    switchedOff,
  ),
  "init-dockerd": refuse(
    "there is no Docker daemon on the worker",
    switchedOff,
  ),
  "enable-dockerd-tcp": refuse(
    "there is no Docker daemon on the worker",
    switchedOff,
  ),

  // Another isolation than ours: to ignore the wish would be to lie.
  dockerRuntime: refuse("there is one runtime, berth's own sandbox", empty),
  "workload-isolation-type": refuse(
    "the only isolation is berth's own sandbox of namespaces",
    (_name, value) => ordinaryIsolation.has(value),
  ),
  dockerChrootPath: refuse(
    "the root of the action is the root of the image",
    empty,
  ),

  // Secrets: actions are blobs that every client of the CAS can read.
  "container-registry-username": refuse(
    "credentials of registries belong into the router's and the fetcher's configuration, never into an action",
  ),
  "container-registry-password": refuse(
    "credentials of registries belong into the router's and the fetcher's configuration, never into an action",
  ),
  "include-secrets": refuse(
    "there are no secrets for actions here",
    switchedOff,
  ),

  // They would change the command behind the action's back.
  "env-overrides": refuse("set the variables in the action", empty),
  "env-overrides-base64": refuse("set the variables in the action", empty),
  "extra-args": refuse("put the arguments into the action", empty),

  // Every action gets this anyway: no capabilities, an init that reaps,
  // a real urandom, a workspace that any user can write.
  dockerDropCapabilities: drop,
  dockerInit: drop,
  dockerUseURandom: drop,
  "nonroot-workspace": drop,
  "overlayfs-workspace": drop,

  // Hints on speed of systems that keep containers between actions.
  dockerReuse: drop,
  dockerShmSize: drop,
  dockerUlimits: drop,
  "recycle-runner": drop,
  "runner-recycling-max-wait": drop,
  "runner-recycling-key": drop,
  "preserve-workspace": drop,
  "persistent-workers": drop,
  "affinity-routing": drop,
  "enable-vfs": drop,
};

/** What an operator may say of a property. */
export type PropertyOverride = "pass" | "drop" | "refuse";

/** Looks up what becomes of a property; made once, at start. */
export type PropertyTable = (name: string) => PropertyRule;

const pass: PropertyRule = { kind: "pass" };
const overrides: Readonly<Record<PropertyOverride, PropertyRule>> = {
  pass,
  drop,
  refuse: refuse("this instance does not take it"),
};

/** The dictionary with the operator's own words on top. */
export function createPropertyTable(
  own: ReadonlyMap<string, PropertyOverride>,
): PropertyTable {
  const rules = new Map(Object.entries(dictionary));
  for (const [name, override] of own) rules.set(name, overrides[override]);
  return (name) => rules.get(name) ?? pass;
}
