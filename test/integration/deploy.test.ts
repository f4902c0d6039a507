// Proves that the files of deploy/ are read by the programs they are for, and
// agree with each other where two of them must say the same.
import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse, parseAllDocuments } from "yaml";
import { servicePath } from "../../lib/program/index.js";
import { berthExec } from "../fixtures/berth-exec.js";
import { projectFolder } from "../fixtures/project-folder.js";

const folder = join(projectFolder, "deploy");
const read = (path: string) => readFileSync(join(folder, path), "utf8");

/** The first group of the only match; the files have one of each. */
function only(text: string, pattern: RegExp): string {
  const found = [...text.matchAll(new RegExp(pattern, "gm"))];
  expect(found).toHaveLength(1);
  return found[0]?.[1] ?? "";
}

function runHelper(config: string) {
  const { status, stderr } = spawnSync(
    berthExec,
    [`--config=${config}`, "--sandbox", "--", "/bin/true"],
    { cwd: "/", encoding: "utf8" },
  );
  return { status, stderr };
}

interface Mount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
}

interface Container {
  name: string;
  securityContext: Record<string, unknown>;
  volumeMounts: Mount[];
}

/** Containers of the worker's pod, by name. */
function workerContainers(): Map<string, Container> {
  const { spec } = parse(read("kubernetes/worker.yaml")).spec.template;
  const containers: Container[] = spec.containers;
  return new Map(containers.map((each) => [each.name, each]));
}

const compose = parse(read("compose.yaml"));

describe("deploy/berth", () => {
  test.each(["router", "root-fetcher"] as const)(
    "%s.yaml passes its program's check",
    (name) => {
      const { status, stderr } = spawnSync(
        process.execPath,
        [
          servicePath(name),
          `--config=${join(folder, `berth/${name}.yaml`)}`,
          "--check-config",
        ],
        { encoding: "utf8" },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    },
  );

  test("exec.toml is understood, up to a build directory that is not here", () => {
    const { status, stderr } = runHelper(join(folder, "berth/exec.toml"));
    expect(status).toBe(125);
    expect(stderr).toContain('"/worker/build"');
    expect(stderr).not.toContain("exec.toml");
  });

  test("exec.toml with a key too many is refused with the line", () => {
    const work = mkdtempSync(join(tmpdir(), "berth-deploy-"));
    try {
      const path = join(work, "exec.toml");
      const text = read("berth/exec.toml");
      writeFileSync(path, `${text}stroe = "/x"\n`);
      const { status, stderr } = runHelper(path);
      const line = text.split("\n").length;
      expect(status).toBe(125);
      expect(stderr).toMatch(
        `berth-exec: ${path}: line ${line}: unknown field`,
      );
    } finally {
      rmSync(work, { recursive: true });
    }
  });

  test("root fetcher and helper mean the same store and socket", () => {
    const fetcher = parse(read("berth/root-fetcher.yaml"));
    const exec = read("berth/exec.toml");
    expect(only(exec, /^store = "(.*)"$/)).toBe(fetcher.store);
    expect(only(exec, /^socket = "(.*)"$/)).toBe(fetcher.socket);
    expect(parse(read("berth/router.yaml")).instances[0].helper).toEqual([
      fetcher.helper,
    ]);
  });
});

describe("deploy/buildbarn", () => {
  test("worker, runner and helper mean the same build directory", () => {
    const build = only(
      read("buildbarn/worker.jsonnet"),
      /buildDirectoryPath: '(.*)'/,
    );
    const runner = read("buildbarn/runner.jsonnet");
    expect(only(runner, /buildDirectoryPath: '(.*)'/)).toBe(build);
    const exec = read("berth/exec.toml");
    expect(only(exec, /^build_directory = "(.*)"$/)).toBe(build);
  });

  test("actions without an image cannot reach the runner's socket", () => {
    const runner = read("buildbarn/runner.jsonnet");
    const socket = only(runner, /listenPaths: \['(.*)'\]/);
    const hidden = only(read("berth/exec.toml"), /^hide = \["(.*)"\]$/);
    expect(dirname(socket)).toBe(hidden);
  });

  test("a runner is ready when helper and socket are there", () => {
    const fetcher = parse(read("berth/root-fetcher.yaml"));
    const list = only(
      read("buildbarn/runner.jsonnet"),
      /readinessCheckingPathnames: \[([^\]]*)\]/,
    );
    expect([...list.matchAll(/'(.*?)'/g)].map(([, path]) => path)).toEqual([
      fetcher.helper,
      fetcher.socket,
    ]);
  });

  test("the scheduler asks the port on which the router listens", () => {
    const scheduler = read("buildbarn/scheduler.jsonnet");
    const port = only(scheduler, /'dns:\/\/\/router:(\d+)'/);
    expect(parse(read("berth/router.yaml")).listen).toBe(`0.0.0.0:${port}`);
  });

  test("the router reads the CAS that everybody uses", () => {
    const common = read("buildbarn/common.libsonnet");
    expect(parse(read("berth/router.yaml")).instances[0].cas.address).toBe(
      only(common, /client: \{ address: '(.*)' \}/),
    );
  });
});

describe("deploy/compose.yaml and deploy/kubernetes", () => {
  test("every file of Kubernetes is a resource of the kustomization", () => {
    const { resources } = parse(read("kustomization.yaml"));
    const files = readdirSync(join(folder, "kubernetes"));
    expect([...resources].sort()).toEqual(
      files.map((name) => `kubernetes/${name}`).sort(),
    );
    for (const name of files) {
      for (const document of parseAllDocuments(read(`kubernetes/${name}`))) {
        expect(document.errors).toEqual([]);
        expect(document.toJS()).toMatchObject({
          apiVersion: expect.any(String),
          kind: expect.any(String),
        });
      }
    }
  });

  test("every configuration file is in the kustomization", () => {
    const { configMapGenerator } = parse(read("kustomization.yaml"));
    const listed = configMapGenerator.flatMap(
      ({ files }: { files: string[] }) => files,
    );
    const present = ["berth", "buildbarn"].flatMap((name) =>
      readdirSync(join(folder, name)).map((file) => `${name}/${file}`),
    );
    expect([...listed].sort()).toEqual(present.sort());
  });

  test("the runner sees the store read-only, as the user who owns it", () => {
    const runner = workerContainers().get("runner");
    const fetcher = workerContainers().get("root-fetcher");
    const storeOf = (container: Container | undefined) =>
      container?.volumeMounts.find(({ name }) => name === "store");
    expect(storeOf(runner)).toMatchObject({ readOnly: true });
    expect(storeOf(fetcher)?.readOnly).toBeUndefined();
    expect(runner?.securityContext).toMatchObject({ runAsUser: 65534 });
    expect(fetcher?.securityContext).toMatchObject({ runAsUser: 65534 });

    const { services } = compose;
    expect(services.runner.user).toBe(services["root-fetcher"].user);
    expect(services.runner.volumes).toContain("store:/berth/store:ro");
    expect(services["root-fetcher"].volumes).toContain("store:/berth/store");
  });

  test("nobody but the worker is root, and nobody is privileged", () => {
    for (const [name, { securityContext }] of workerContainers()) {
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        runAsUser: name === "worker" ? 0 : 65534,
      });
      expect(securityContext).not.toHaveProperty("privileged");
    }
    for (const service of Object.values<object>(compose.services)) {
      expect(service).not.toHaveProperty("privileged");
    }
  });

  test("both run the same images", () => {
    const imagesOf = (text: string) =>
      [...text.matchAll(/^ +(?:- )?image: (\S+)$/gm)].map(([, image]) => image);
    const kubernetes = readdirSync(join(folder, "kubernetes"))
      .map((name) => read(`kubernetes/${name}`))
      .join("\n");
    expect([...new Set(imagesOf(kubernetes))].sort()).toEqual(
      [...new Set(imagesOf(read("compose.yaml")))].sort(),
    );
  });
});
