import { BlockList, isIP } from "node:net";

/** What an IP address is, as far as it matters for who may be reached. */
export type AddressClass =
  | "public"
  | "private"
  | "loopback"
  /** Cloud machines' metadata services live here. */
  | "link-local"
  /** Not the address of one other machine: multicast, documentation … */
  | "reserved";

// IANA's special-purpose address registries (RFC 6890 and its updates).
const ranges: readonly (readonly [AddressClass, readonly string[]])[] = [
  ["loopback", ["127.0.0.0/8", "::1/128"]],
  ["link-local", ["169.254.0.0/16", "fe80::/10"]],
  [
    "private",
    [
      "10.0.0.0/8",
      "172.16.0.0/12",
      "192.168.0.0/16",
      "100.64.0.0/10",
      "198.18.0.0/15",
      "fc00::/7",
    ],
  ],
  [
    "reserved",
    [
      "0.0.0.0/8",
      "192.0.0.0/24",
      "192.0.2.0/24",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "224.0.0.0/3",
      "::/96",
      // Translated to IPv4 on the way, possibly to one of the ranges above.
      "64:ff9b::/96",
      "64:ff9b:1::/48",
      "2002::/16",
      "2001::/23",
      "2001:db8::/32",
      "100::/64",
      "fec0::/10",
      "ff00::/8",
    ],
  ],
];

const lists = ranges.map(([name, subnets]) => {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = "", prefix] = subnet.split("/");
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return { name, list };
});

/**
 * Classifies an address as the system's resolver gives it; what is no
 * address is "reserved". An IPv4 address mapped into IPv6 counts as itself.
 */
export function addressClassOf(address: string): AddressClass {
  if (isIP(address) === 0) return "reserved";
  const plain = unmap(address);
  const found = lists.find(({ list }) => list.check(plain, familyOf(plain)));
  return found?.name ?? "public";
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}

function unmap(address: string): string {
  if (isIP(address) === 4) return address;
  const zoneless = address.replace(/%.*$/, "");
  // The URL parser writes every spelling as ::ffff:7f00:1.
  const short = new URL(`http://[${zoneless}]`).hostname.slice(1, -1);
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (match === null) return short;
  const high = Number.parseInt(match[1] ?? "", 16);
  const low = Number.parseInt(match[2] ?? "", 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
