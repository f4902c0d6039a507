import { afterEach, describe, expect, test } from "@jest/globals";
import {
  type ScriptedServer,
  startScriptedServer,
} from "../../../test/fixtures/scripted-server.js";
import { parseImageReference } from "../../image/index.js";
import { Code } from "../../status/index.js";
import { createTestClient } from "../testing/setup-evil-registry.js";

let server: ScriptedServer;
afterEach(() => server.stop());

async function fetchFailing(status: number, body: unknown = "") {
  server = await startScriptedServer(() => ({ status, body }));
  const client = createTestClient([]);
  const reference = parseImageReference(`${server.host}/x`);
  const failure = await client.fetchManifest(reference).then(
    () => undefined,
    (error: unknown) => error,
  );
  await client.close();
  const start = `Failed to fetch manifest of "${reference}": registry "${server.host}" `;
  return { failure, start, requests: server.seen.length };
}

describe("statusFromResponse()", () => {
  test.each([
    [400, Code.InvalidArgument, "takes the request for malformed", 1],
    [403, Code.PermissionDenied, "denies access", 1],
    [404, Code.NotFound, "does not have it", 1],
    [408, Code.Unavailable, "does not answer in time", 4],
    [418, Code.FailedPrecondition, "refuses the request", 1],
    [429, Code.Unavailable, "limits the rate of requests", 4],
    [451, Code.PermissionDenied, "denies access for legal reasons", 1],
    [502, Code.Unavailable, "has trouble of its own", 4],
    [204, Code.Internal, "answers in a way that makes no sense here", 1],
  ])(
    "statusFromResponse() takes %d for code %d",
    async (status, code, text, requests) => {
      const outcome = await fetchFailing(status);
      expect(outcome.failure).toMatchObject({
        code,
        message: `${outcome.start}${text} (HTTP status ${status})`,
      });
      expect(outcome.requests).toBe(requests);
    },
  );

  test("statusFromResponse() shows a registry's error codes, and none of its words", async () => {
    const { failure, start } = await fetchFailing(403, {
      errors: [
        { code: "DENIED", message: "token=secret" },
        { code: "token=secret" },
        { code: "TOOMANYREQUESTS" },
        "secret",
      ],
    });
    expect(failure).toMatchObject({
      message: `${start}denies access (HTTP status 403, DENIED, TOOMANYREQUESTS)`,
    });
  });

  test("statusFromResponse() stops at a page that is too long, or no JSON", async () => {
    for (const body of ["<html>secret", "[".repeat(1_000_000), "null"]) {
      const { failure, start } = await fetchFailing(403, body);
      expect(failure).toMatchObject({
        message: `${start}denies access (HTTP status 403)`,
      });
      await server.stop().catch(() => undefined);
    }
  });
});
