import { expect, test } from "@jest/globals";
import {
  type LocalSettings,
  localConfiguration,
} from "./local-configuration.js";

const settings: LocalSettings = {
  state: "/state",
  listen: "127.0.0.1:8980",
  jobsListen: "127.0.0.1:3000",
  isRoot: false,
  cacheSize: "1GiB",
  rootsSize: "1GiB",
  mode: "bind_mount",
  source: "registry",
  tags: "reject",
  noImage: "sandbox",
  network: "host",
  registries: [],
  plainRegistries: [],
  mirrors: [],
  logLevel: "info",
};
const installation = {
  helper: "/helper",
  engine: "/engine",
  router: "/router",
  rootFetcher: "/root-fetcher",
  workflow: "/workflow",
};

test("localConfiguration() lets jobs alone name secrets", () => {
  const { router, helper } = localConfiguration(settings, installation);
  expect(router).toMatchObject({
    instances: [{ prefix: "" }, { prefix: "jobs", secrets: ["*"] }],
  });
  expect(router).not.toHaveProperty("instances.0.secrets");
  expect(helper.split("\n")).toContain('secrets = "/state/secrets"');
});

test.each([
  [undefined, 'hide = ["/state"]'],
  [
    "/home/u/.docker/config.json",
    'hide = ["/state", "/home/u/.docker/config.json"]',
  ],
])(
  "localConfiguration() hides credentials %p from actions",
  (dockerConfig, line) => {
    const { helper } = localConfiguration(
      { ...settings, dockerConfig },
      installation,
    );
    expect(helper.split("\n")).toContain(line);
  },
);

test("localConfiguration() lists each registry once, with its mirrors", () => {
  const { router, rootFetcher, workflow } = localConfiguration(
    {
      ...settings,
      registries: ["private.test", "Hub.test:443"],
      plainRegistries: ["hub.test"],
      mirrors: [
        { of: "docker.io", mirror: "127.0.0.1:5000" },
        { of: "docker.io", mirror: "second.test" },
        { of: "hub.test", mirror: "third.test" },
      ],
    },
    installation,
  );
  const registries = {
    "private.test": {},
    "hub.test": { plainHttp: true, mirrors: ["third.test"] },
    "docker.io": { mirrors: ["127.0.0.1:5000", "second.test"] },
  };
  expect(router).toMatchObject({ registries });
  expect(rootFetcher).toMatchObject({ registries });
  expect(workflow).toMatchObject({ registries });
});
