import { describe, expect, test } from "@jest/globals";
import { startScriptedServer } from "../../../test/fixtures/scripted-server.js";
import { parseImageReference } from "../../image/index.js";
import { Code, StatusError } from "../../status/index.js";
import { RegistryClient } from "../index.js";
import { statusFromTransportError } from "./status-from-transport-error.js";

describe("statusFromTransportError()", () => {
  test.each([
    [
      "ECONNREFUSED",
      Code.Unavailable,
      "refuses connections: check its port, and that it runs",
    ],
    ["UND_ERR_SOCKET", Code.Unavailable, "closed the connection"],
    ["UND_ERR_BODY_TIMEOUT", Code.Unavailable, "stopped sending"],
    [
      "ENOTFOUND",
      Code.Unavailable,
      "is not found in DNS: check the name, and this machine's name servers",
    ],
    [
      "UND_ERR_HEADERS_TIMEOUT",
      Code.Unavailable,
      "took the connection, but did not answer in time",
    ],
    ["CERT_HAS_EXPIRED", Code.FailedPrecondition, "has an expired certificate"],
    [
      "HPE_INVALID_CONSTANT",
      Code.Internal,
      "breaks the HTTP protocol (HPE_INVALID_CONSTANT)",
    ],
    ["EWEIRD", Code.Internal, "cannot be talked to (EWEIRD)"],
  ])("statusFromTransportError() takes %s for code %d", (errno, code, text) => {
    const url = "https://storage.example/?signature=secret";
    const error = Object.assign(new Error(url), { code: errno });
    expect(statusFromTransportError(error, 'registry "r"')).toMatchObject({
      code,
      message: `registry "r" ${text}`,
      cause: error,
    });
  });

  test("statusFromTransportError() keeps the code of a refused address", () => {
    const refused = new StatusError(Code.PermissionDenied, "is private");
    for (const error of [refused, new Error("x", { cause: refused })]) {
      expect(statusFromTransportError(error, 'host "h"')).toMatchObject({
        code: Code.PermissionDenied,
        message: 'host "h" is private',
      });
    }
  });

  test("RegistryClient says that a registry speaks plain HTTP", async () => {
    const server = await startScriptedServer(() => ({ status: 200 }));
    const client = new RegistryClient({
      registries: { [server.host]: { plainHttp: false } },
    });
    const reference = parseImageReference(`${server.host}/x`);
    await expect(client.fetchManifest(reference)).rejects.toMatchObject({
      code: Code.FailedPrecondition,
      message: `Failed to fetch manifest of "${reference}": registry "${server.host}" does not speak TLS (if it serves plain HTTP, allow that for it in the configuration, or by --plain-http)`,
    });
    await client.close();
    await server.stop();
  });
});
