// Proves that wrong things are clear at once in Bazel's output, and never a
// hang: the text names the thing, and says who must act.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type BazelWorkspace,
  createBazelWorkspace,
} from "../fixtures/bazel.js";
import { type Berth, startBerth } from "../fixtures/berth.js";
import { type ChildServer, findFreePort } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { modes } from "../fixtures/modes.js";

/** User and password of private registries, and crypt(3)'s bcrypt of it. */
const credentials = "alice:wonderland";
const htpasswd =
  "alice:$2b$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW\n";

describe.each(modes)("wrong things with %s", (_mode, options) => {
  let registry: ChildServer;
  let image: PushedImage;
  let berth: Berth;
  let bazel: BazelWorkspace;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    image = pushDemoImage(registry.host);
    berth = await startBerth(...options);
    bazel = await createBazelWorkspace({
      BUILD:
        'genrule(name = "g", outs = ["g.txt"], cmd = "cat /etc/os-release > $@")\n',
    });
  }, 300_000);

  afterAll(async () => {
    await bazel.stop();
    await berth.stop();
    await registry.stop();
  });

  /** Builds with a property; gives Bazel's output when it fails. */
  async function buildWith(...properties: string[]): Promise<string> {
    const { status, stderr } = await bazel.run(
      "build",
      "//:g",
      `--remote_executor=grpc://${berth.address}`,
      ...properties.map((text) => `--remote_default_exec_properties=${text}`),
      "--spawn_strategy=remote",
      "--genrule_strategy=remote",
      "--remote_retries=1",
    );
    expect({ status, stderr }).toEqual({
      status: 34,
      stderr: expect.anything(),
    });
    return stderr;
  }

  /** Longest that a mistake may take to be told, server start included. */
  const atOnceMs = 60_000;

  test(
    "a tag is refused with the digest to paste",
    async () => {
      const stderr = await buildWith(
        `container-image=docker://${image.tagged}`,
      );
      expect(stderr).toContain(image.pinned);
    },
    atOnceMs,
  );

  test(
    "an unknown image is named, with the registry that does not know it",
    async () => {
      const unknown = image.pinned.replace("/debian@", "/no-such@");
      const stderr = await buildWith(`container-image=${unknown}`);
      expect(stderr).toMatch(/NOT_FOUND: .*no-such@sha256:/);
    },
    atOnceMs,
  );

  test(
    "an unknown tag is named",
    async () => {
      const unknown = image.tagged.replace(":trixie", ":no-such");
      const stderr = await buildWith(`container-image=${unknown}`);
      expect(stderr).toMatch(/NOT_FOUND: .*debian:no-such/);
    },
    atOnceMs,
  );

  test(
    "a bad reference is refused with what it should be",
    async () => {
      const stderr = await buildWith("container-image=docker://debian/UPPER");
      expect(stderr).toMatch(/INVALID_ARGUMENT: .*UPPER/);
    },
    atOnceMs,
  );

  test(
    "a registry that is down is said to be unavailable",
    async () => {
      const host = `127.0.0.1:${await findFreePort()}`;
      const down = image.pinned.replace(registry.host, host);
      const stderr = await buildWith(`container-image=${down}`);
      expect(stderr).toMatch(/UNAVAILABLE: .*127\.0\.0\.1:\d+/);
      expect(stderr).toContain(host);
    },
    atOnceMs,
  );

  test(
    "a platform that the image lacks is refused with those it has",
    async () => {
      const stderr = await buildWith(
        `container-image=docker://${image.pinned}`,
        "ISA=arm64",
      );
      expect(stderr).toMatch(/INVALID_ARGUMENT: .*arm64/);
      expect(stderr).toContain("linux/amd64");
    },
    atOnceMs,
  );

  test(
    "a property that the worker lacks is named with what it has",
    async () => {
      const stderr = await buildWith(
        `container-image=docker://${image.pinned}`,
        "OSFamily=windows",
      );
      expect(stderr).toMatch(
        /(INVALID_ARGUMENT|FAILED_PRECONDITION): .*windows/,
      );
    },
    atOnceMs,
  );

  test(
    "a property that gives power is refused with the reason",
    async () => {
      const stderr = await buildWith(
        `container-image=docker://${image.pinned}`,
        "dockerPrivileged=true",
      );
      expect(stderr).toMatch(
        /(INVALID_ARGUMENT|PERMISSION_DENIED): .*dockerPrivileged/,
      );
    },
    atOnceMs,
  );

  test(
    "a private image without credentials says which registry wants them",
    async () => {
      const closed = await startDockerRegistry({ htpasswd });
      try {
        const stderr = await buildWith(
          `container-image=${image.pinned.replace(registry.host, closed.host)}`,
        );
        expect(stderr).toMatch(
          /(UNAUTHENTICATED|PERMISSION_DENIED): .*credentials/,
        );
        expect(stderr).toContain(closed.host);
      } finally {
        await closed.stop();
      }
    },
    atOnceMs,
  );

  test(
    "a private image with credentials runs, and they are told nowhere",
    async () => {
      const closed = await startDockerRegistry({ htpasswd });
      const folder = await mkdtemp(join(tmpdir(), "berth-docker-config-"));
      const file = join(folder, "config.json");
      const auth = Buffer.from(credentials).toString("base64");
      await writeFile(
        file,
        JSON.stringify({ auths: { [closed.host]: { auth } } }),
      );
      const own = await startBerth(
        ...[...options, "--docker-config", file, "--verbose"],
      );
      try {
        const { pinned } = pushDemoImage(closed.host, { credentials });
        expect(await own.run(pinned, "--", "echo", "in")).toMatchObject({
          status: 0,
          stdout: "in\n",
        });
        const lines = own.lines.join("\n");
        for (const secret of ["wonderland", auth]) {
          expect(lines).not.toContain(secret);
          expect(searchFor(secret, own.state)).toBe("");
        }
      } finally {
        await own.stop();
        await closed.stop();
        await rm(folder, { recursive: true });
      }
    },
    atOnceMs,
  );

  test("berth run takes a tag, and says which engine does not answer", async () => {
    expect(await berth.run(image.tagged, "--", "echo", "in")).toMatchObject({
      status: 0,
      stdout: "in\n",
    });
    const address = `127.0.0.1:${await findFreePort()}`;
    expect(
      await berth.run("--engine", address, image.tagged, "--", "true"),
    ).toEqual({
      status: 125,
      stdout: "",
      stderr: `berth: No engine serves at "${address}": start one with "berth up", or name another by --engine (UNAVAILABLE)\n`,
    });
  });
});

/** Files of a folder that hold a text; those of images are left out. */
function searchFor(text: string, folder: string): string {
  const { stdout } = spawnSync(
    "grep",
    ["-rlF", "--exclude-dir=store", text, folder],
    { encoding: "utf8" },
  );
  return stdout;
}
