import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Code, StatusError } from "../../status/index.js";
import { type AddressClass, addressClassOf } from "./address-class.js";

/**
 * Which machines the requests made for one registry may reach:
 * - `public`: for a registry that only a client names;
 * - `loopback`: also this machine, for a registry named by such an address;
 * - `private`: also private networks, for a registry that the operator lists.
 *
 * Link-local addresses are in none of them: no registry lives there, and
 * cloud metadata does.
 */
export type NetworkScope = "public" | "loopback" | "private";

const reachable: Readonly<Record<NetworkScope, readonly AddressClass[]>> = {
  public: ["public"],
  loopback: ["public", "loopback"],
  private: ["public", "loopback", "private"],
};

/** Throws PermissionDenied if the address is outside of the scope. */
export function checkAddress(address: string, scope: NetworkScope): void {
  const found = addressClassOf(address);
  if (!reachable[scope].includes(found)) {
    throw new StatusError(
      Code.PermissionDenied,
      `has the ${found} address ${address}, which may not be reached (to allow private networks for this registry, list it in the configuration, or give it to "berth up" by --registry)`,
    );
  }
}

/** Checks a host that is an address already; sockets do not look those up. */
export function checkHost(host: string, scope: NetworkScope): void {
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) !== 0) checkAddress(address, scope);
}

/**
 * A lookup for sockets that checks every address at the moment it connects:
 * a check made before would look the name up once more, and an attacker's
 * name server may answer differently the second time. One forbidden address
 * among several is enough to refuse.
 */
export function createScopedLookup(scope: NetworkScope): LookupFunction {
  return (host, options: LookupOptions, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      try {
        for (const { address } of addresses) checkAddress(address, scope);
      } catch (refused) {
        // Sockets want an errno in `code`, so the status goes as the cause.
        const error = new Error("Address refused", { cause: refused });
        return callback(error, "", 0);
      }
      return answer(addresses, options, callback);
    });
  };
}

function answer(
  addresses: LookupAddress[],
  options: LookupOptions,
  callback: Parameters<LookupFunction>[2],
): void {
  const [first] = addresses;
  if (options.all === true || first === undefined) {
    callback(null, addresses);
  } else {
    callback(null, first.address, first.family);
  }
}
