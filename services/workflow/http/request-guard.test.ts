import { expect, test } from "@jest/globals";
import { createRequestGuard } from "./request-guard.js";

const guard = createRequestGuard(["Jobs.example.com", "other:8080"]);

function statusOf(method: string, headers: Record<string, string>): number {
  try {
    guard({ method, headers });
    return 200;
  } catch (error) {
    return (error as { status: number }).status; // an HttpError
  }
}

test.each([
  ["localhost", 200],
  ["localhost:3000", 200],
  ["LOCALHOST.:3000", 200],
  ["a.localhost:3000", 200],
  ["127.0.0.1:3000", 200],
  ["192.168.1.2", 200],
  ["[::1]:3000", 200],
  ["jobs.example.com", 200],
  ["JOBS.example.com:3000", 200],
  ["other:8080", 200],
  ["other:8081", 421],
  ["other", 421],
  ["evil.example.com", 421],
  ["localhost.evil.example.com", 421],
  ["evil-localhost", 421],
  ["127.0.0.1.evil.example.com", 421],
  ["jobs.example.com@evil.example.com", 421],
  ["jobs.example.com:3000:1", 421],
  ["[::1]evil.example.com", 421],
  ["localhost:999999", 421],
  ["", 421],
])("requests to host %j are answered %i", (host, status) => {
  expect(statusOf("GET", { host })).toBe(status);
});

test.each([
  [{}, 200],
  [{ origin: "http://localhost:3000" }, 200],
  [{ origin: "https://localhost:3000" }, 200],
  [{ "sec-fetch-site": "same-origin" }, 200],
  [{ "sec-fetch-site": "none" }, 200],
  [{ origin: "http://localhost:5000" }, 403],
  [{ origin: "http://localhost" }, 403],
  [{ origin: "null" }, 403],
  [{ origin: "" }, 403],
  [{ origin: "http://evil.example.com" }, 403],
  [{ origin: "http://localhost:3000.evil.example.com" }, 403],
  [{ origin: "http://evil.example.com/localhost:3000" }, 403],
  [{ "sec-fetch-site": "cross-site" }, 403],
  [{ "sec-fetch-site": "same-site" }, 403],
  [{ "sec-fetch-site": "Cross-Site" }, 403],
  [{ origin: "http://localhost:3000", "sec-fetch-site": "cross-site" }, 403],
])("changes with %j are answered %i", (headers, status) => {
  const all = { host: "localhost:3000", ...headers };
  expect(["POST", "DELETE"].map((method) => statusOf(method, all))).toEqual([
    status,
    status,
  ]);
  // Reading is free: no other origin sees the answer.
  expect(statusOf("GET", all)).toBe(200);
});
