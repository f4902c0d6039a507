// Proves, through `berth up` and real actions in a real image, what the step of
// a job may ask for: its input, its places, its outputs, its directory, its
// user by name and its secrets, however the image reaches it.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { localPaths } from "../../services/cli/up/local-configuration.js";
import { type Berth, startBerth } from "../fixtures/berth.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { modes } from "../fixtures/modes.js";

describe.each(modes)("steps with %s", (_mode, options) => {
  let registry: ChildServer;
  let image: PushedImage;
  let berth: Berth;
  let folder: string;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    image = pushDemoImage(registry.host);
    berth = await startBerth(...options);
    const { secrets } = localPaths(berth.state);
    await writeFile(join(secrets, "db-main"), "hunter2-correct\n");
    folder = await mkdtemp(join(tmpdir(), "berth-step-"));
    await mkdir(join(folder, "inputs/data"), { recursive: true });
    await writeFile(join(folder, "inputs/words"), "one two\nthree\n");
    await writeFile(join(folder, "inputs/data/file"), "placed");
  }, 300_000);

  afterAll(async () => {
    await berth.stop();
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a shell script as a step with these properties. */
  function step(instance: string, properties: string[], script: string) {
    return berth.run(
      ...["--instance", instance, "--input", join(folder, "inputs")],
      ...["--output-folder", join(folder, "outputs")],
      ...properties.flatMap((property) => ["--property", property]),
      ...[image.pinned, "--", "/bin/sh", "-c", script],
    );
  }

  test("a step has what it asks for, and its outputs come back", async () => {
    const properties = [
      "berth-stdin=words",
      "berth-place=data:/srv/given/data",
      "berth-workdir=/srv/work",
      "berth-user=daemon",
      "berth-secret=PASSWORD:db-main",
      "berth-collect=/var/lib/step/result:results/count",
      "berth-collect=/output/:tree",
      "berth-collect=/etc/os-release:release",
    ];
    const { status, stdout } = await step(
      "jobs",
      properties,
      `wc -w > /var/lib/step/result; pwd; id -un
       cat /srv/given/data/file; echo; touch /srv/given/data/x || echo kept
       [ "\${#PASSWORD}" = 15 ] && echo "password $PASSWORD"
       mkdir /output/deep; echo found > /output/deep/file`,
    );
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: "/srv/work\ndaemon\nplaced\nkept\npassword [secret db-main]\n",
    });
    const output = (path: string) =>
      readFile(join(folder, "outputs", path), "utf8");
    expect(await output("results/count")).toBe("3\n");
    expect(await output("tree/deep/file")).toBe("found\n");
    expect(await output("release")).toBe("");
  }, 300_000); // the image is brought in

  test("a secret is refused where it is not allowed, or not there", async () => {
    const elsewhere = await step("", ["berth-secret=A:db-main"], "true");
    expect(elsewhere.status).toBe(125);
    expect(elsewhere.stderr).toContain(
      'Secret "db-main" is not allowed for instance name ""',
    );
    const missing = await step("jobs", ["berth-secret=A:other"], "true");
    expect(missing.status).toBe(125);
    expect(missing.stderr).toContain('the secret "other" cannot be had');
  });
});
