import { describe, expect, test } from "@jest/globals";
import { registryEndpointOf } from "./registry-endpoint.js";

describe("registryEndpointOf()", () => {
  test.each([
    ["ghcr.io", "https://ghcr.io", "public"],
    ["docker.io", "https://registry-1.docker.io", "public"],
    ["r.example:5000", "https://r.example:5000", "public"],
    ["10.0.0.1:5000", "https://10.0.0.1:5000", "public"],
    ["localhost:5000", "http://localhost:5000", "loopback"],
    ["127.0.0.2:5000", "http://127.0.0.2:5000", "loopback"],
    ["[::1]:5000", "http://[::1]:5000", "loopback"],
    ["localhost.example", "https://localhost.example", "public"],
  ])("registryEndpointOf() reaches %s at %s, %s", (registry, origin, scope) => {
    expect(registryEndpointOf(registry, {})).toMatchObject({ origin, scope });
  });

  test("registryEndpointOf() lets the operator open what is closed", () => {
    const settings = {
      "r.example": {},
      "old.example": { plainHttp: true },
      "127.0.0.1:5000": { plainHttp: false },
    };
    expect(registryEndpointOf("r.example", settings)).toMatchObject({
      origin: "https://r.example",
      scope: "private",
      plainHttp: false,
    });
    expect(registryEndpointOf("old.example", settings)).toMatchObject({
      origin: "http://old.example",
      plainHttp: true,
    });
    expect(registryEndpointOf("127.0.0.1:5000", settings)).toMatchObject({
      origin: "https://127.0.0.1:5000",
      plainHttp: false,
    });
    expect(registryEndpointOf("constructor", settings).scope).toBe("public");
  });

  test("registryEndpointOf() knows realm hosts by table and by configuration, with their port", () => {
    expect(registryEndpointOf("docker.io", {}).realmHosts).toEqual(
      new Set(["registry-1.docker.io", "auth.docker.io"]),
    );
    const settings = { "r.example:5000": { realmHosts: ["sso.example"] } };
    expect(registryEndpointOf("r.example:5000", settings).realmHosts).toEqual(
      new Set(["r.example:5000", "sso.example"]),
    );
  });
});
