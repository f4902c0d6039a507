import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { checkAddressFree } from "./check-address-free.js";

describe("checkAddressFree()", () => {
  test("checkAddressFree() names the flag for an address that is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const address = `127.0.0.1:${port}`;
    await expect(checkAddressFree("--flag", address)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `"${address}" is taken by another program: choose another address by --flag`,
    });
    server.close();
    await once(server, "close");
    await checkAddressFree("--flag", address);
    await checkAddressFree("--flag", address); // it was let go
  });

  test("checkAddressFree() knows addresses of other machines", async () => {
    await expect(
      checkAddressFree("--flag", "192.0.2.1:80"), // RFC 5737
    ).rejects.toMatchObject({
      message:
        '"192.0.2.1:80" is no address of this machine: choose another address by --flag',
    });
  });
});
