import { describe, expect, test } from "@jest/globals";
import { addressClassOf } from "./address-class.js";

describe("addressClassOf()", () => {
  test.each([
    ["93.184.216.34", "public"],
    ["2606:4700::1111", "public"],
    ["10.1.2.3", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.0", "public"],
    ["192.168.0.1", "private"],
    ["100.100.100.200", "private"],
    ["fd00:ec2::254", "private"],
    ["127.0.0.1", "loopback"],
    ["127.255.0.1", "loopback"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["169.254.169.254", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:a9fe:a9fe", "link-local"],
    ["0000:0000:0000:0000:0000:ffff:10.0.0.1", "private"],
    ["0.0.0.0", "reserved"],
    ["::", "reserved"],
    ["::127.0.0.1", "reserved"],
    ["64:ff9b::7f00:1", "reserved"],
    ["2002:7f00:1::", "reserved"],
    ["224.0.0.1", "reserved"],
    ["255.255.255.255", "reserved"],
    ["ff02::1", "reserved"],
    ["not an address", "reserved"],
  ])("addressClassOf() takes %s for %s", (address, expected) => {
    expect(addressClassOf(address)).toBe(expected);
  });
});
