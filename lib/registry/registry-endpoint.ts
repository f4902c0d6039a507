import { type AddressClass, addressClassOf } from "./http/address-class.js";
import type { NetworkScope } from "./http/network-scope.js";
import type { RegistrySettingsByHost } from "./registry-settings.js";

/** Where a registry is reached, and what it may ask of us. */
export interface RegistryEndpoint {
  /** Canonical host[:port], as in references. */
  readonly registry: string;
  /** Scheme, host and port of its API. */
  readonly origin: string;
  /** Hosts with port whose token realms may see its credential. */
  readonly realmHosts: ReadonlySet<string>;
  readonly scope: NetworkScope;
  /** Whether it may send us on to plain HTTP, if it uses that itself. */
  readonly plainHttp: boolean;
}

/** Registries whose API has another host than their name. */
const apiHosts: ReadonlyMap<string, string> = new Map([
  ["docker.io", "registry-1.docker.io"],
]);

/** Realms of public registries that are known to have a host of their own. */
const knownRealmHosts: ReadonlyMap<string, string> = new Map([
  ["docker.io", "auth.docker.io"],
  ["registry.gitlab.com", "gitlab.com"],
]);

/**
 * Decides, from its name and the operator's settings alone, how a registry is
 * reached: by HTTPS, unless it is on this machine or set to plain HTTP.
 */
export function registryEndpointOf(
  registry: string,
  settings: RegistrySettingsByHost,
): RegistryEndpoint {
  const own = Object.hasOwn(settings, registry)
    ? settings[registry]
    : undefined;
  const host = apiHosts.get(registry) ?? registry;
  const isLoopback = hostClass(host) === "loopback";
  const plainHttp = own?.plainHttp ?? isLoopback;
  return {
    registry,
    origin: `${plainHttp ? "http" : "https"}://${host}`,
    realmHosts: new Set([
      host,
      knownRealmHosts.get(registry) ?? host,
      ...(own?.realmHosts ?? []),
    ]),
    scope: own !== undefined ? "private" : isLoopback ? "loopback" : "public",
    plainHttp,
  };
}

/** Whether a URL's host is this machine by its very name. */
export function isLoopbackHost(url: URL): boolean {
  return hostClass(url.host) === "loopback";
}

function hostClass(host: string): AddressClass {
  const name = host.replace(/:[0-9]+$/, "").replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" ? "loopback" : addressClassOf(name);
}
