import { expect, test } from "@jest/globals";
import { hrefOf, parseRoute, type Route } from "./route.js";

const routes: [string, Exclude<Route, { kind: "unknown" }>][] = [
  ["#/jobs", { kind: "jobs", state: "", name: "" }],
  [
    "#/jobs?state=failed&name=a+%26b",
    { kind: "jobs", state: "failed", name: "a &b" },
  ],
  ["#/new", { kind: "submit", from: undefined }],
  ["#/new?from=A-1", { kind: "submit", from: "A-1" }],
  ["#/jobs/A-1", { kind: "job", id: "A-1", step: undefined }],
  ["#/jobs/A-1/steps/a.b", { kind: "job", id: "A-1", step: "a.b" }],
];

test.each(routes)("parseRoute() and hrefOf() agree on %s", (href, route) => {
  expect(parseRoute(href)).toEqual(route);
  expect(hrefOf(route)).toBe(href);
});

test.each(["", "#", "#/"])("parseRoute() shows jobs at %j", (hash) => {
  expect(parseRoute(hash)).toEqual({ kind: "jobs", state: "", name: "" });
});

test.each(["#/x", "#/jobs/A/steps", "#/jobs/%E0", "#/jobs/A/steps/b/c"])(
  "parseRoute() knows nothing at %s",
  (hash) => expect(parseRoute(hash)).toEqual({ kind: "unknown" }),
);
