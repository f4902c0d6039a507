/** What the operator says of one registry; listing it is a statement too. */
export interface RegistrySettings {
  /** Speaks HTTP instead of HTTPS, also to the hosts it redirects to. */
  readonly plainHttp?: boolean | undefined;
  /**
   * Hosts (host[:port]) of token realms that may see this registry's
   * credential, besides the registry itself.
   */
  readonly realmHosts?: readonly string[];
  /**
   * Registries (host[:port]) that are asked first, in this order. Each counts
   * as listed itself.
   */
  readonly mirrors?: readonly string[];
}

/**
 * Settings by the registry's canonical host[:port]. A listed registry, and
 * what it redirects to, may have addresses in private networks.
 */
export type RegistrySettingsByHost = Readonly<Record<string, RegistrySettings>>;
