// Proves, through `berth up` and real actions in a real image, what an action
// sees and what it cannot see, reach or change: when berth is started as root,
// and when an ordinary user starts it, however the image reaches the action.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Berth, startBerthAs } from "../fixtures/berth.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { modes } from "../fixtures/modes.js";

const cases = [
  ["root", 0] as const,
  ["an ordinary user", 1234] as const,
].flatMap(([user, uid]) =>
  modes.map(([mode, options]) => ({ user, uid, mode, options })),
);

describe.each(cases)("berth of $user, $mode", ({ uid, options }) => {
  let registry: ChildServer;
  let image: PushedImage;
  let berth: Berth;
  let secret: string;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    image = pushDemoImage(registry.host);
    berth = await startBerthAs(uid, ...options);
    secret = await mkdtemp(join(tmpdir(), "berth-host-secret-"));
    await writeFile(join(secret, "file"), "of the host");
  }, 300_000);

  afterAll(async () => {
    await berth.stop();
    await registry.stop();
    await rm(secret, { recursive: true, force: true });
  });

  /** Runs a shell script as an action in the image; gives its output. */
  async function script(text: string, ...options: string[]): Promise<string> {
    const { status, stdout, stderr } = await berth.run(
      ...options,
      image.pinned,
      "--",
      "/bin/sh",
      "-c",
      text,
    );
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.anything(),
    });
    return stdout.trim();
  }

  test("an action sees the image's files, not the host's", async () => {
    expect(await script(". /etc/os-release; echo $VERSION_CODENAME")).toBe(
      "trixie",
    );
    expect(existsSync(join(secret, "file"))).toBe(true);
    expect(
      await script(
        `ls ${secret} 2>/dev/null; ls ${berth.state}/store ${berth.state}/run 2>/dev/null; echo end`,
      ),
    ).toBe("end");
  });

  test("an action sees its inputs, and cannot change them for others", async () => {
    const inputs = await mkdtemp(join(tmpdir(), "berth-inputs-"));
    await writeFile(join(inputs, "input"), "as it was");
    try {
      const input = ["--input", inputs];
      expect(await script("cat input", ...input)).toBe("as it was");
      await script(
        "chmod u+w input; echo changed > input; mv input other; true",
        ...input,
      );
      expect(await script("cat input", ...input)).toBe("as it was");
    } finally {
      await rm(inputs, { recursive: true });
    }
  });

  test("an action can write to /tmp, $HOME and the root, and nobody sees it", async () => {
    const places = "/tmp/left $HOME/left /left /usr/lib/left";
    expect(
      await script(`for f in ${places}; do echo x > $f && cat $f; done`),
    ).toBe("x\nx\nx\nx");
    expect(
      await script(`ls ${places} 2>/dev/null; rm /etc/passwd; echo end`),
    ).toBe("end");
    expect(await script("test -s /etc/passwd && id -un")).toBe("build");
  });

  test("/proc shows an action's own processes only", async () => {
    const pids = await script("cd /proc; for p in [0-9]*; do echo $p; done");
    for (const pid of pids.split("\n")) {
      expect(Number(pid)).toBeLessThan(50);
    }
  });

  test("an action has no privileges", async () => {
    expect(
      await script(
        "grep -E '^(NoNewPrivs|Cap(Eff|Prm|Bnd))' /proc/self/status",
      ),
    ).toBe(
      [
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
      ].join("\n"),
    );
    expect(
      await script("mount -t tmpfs none /mnt 2>/dev/null || echo refused"),
    ).toBe("refused");
  });

  test("dockerRunAsRoot gives uid 0 without power over the host", async () => {
    expect(
      await script(
        "id -u; umount -l /proc 2>/dev/null; mount -o remount,rw / 2>/dev/null; cat /proc/sys/kernel/core_pattern >/dev/null; echo x > /proc/sys/kernel/core_pattern 2>/dev/null || echo refused",
        "--property",
        "dockerRunAsRoot=true",
      ),
    ).toBe("0\nrefused");
  });

  test("the network is there, or only loopback, as the action asks", async () => {
    const server = await listen();
    const { port } = server.address() as { port: number };
    const connect = `(: < /dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached || echo alone`;
    const ask = (...options: string[]) =>
      berth.run(...options, image.pinned, "--", "/bin/bash", "-c", connect);
    try {
      expect((await ask()).stdout).toBe("reached\n");
      for (const property of [
        "dockerNetwork=off",
        "network=off",
        "requires-network=false",
      ]) {
        expect({
          property,
          stdout: (await ask("--property", property)).stdout,
        }).toEqual({ property, stdout: "alone\n" });
      }
      expect(
        await script(
          "cat /sys/class/net/lo/operstate 2>/dev/null; grep -c lo: /proc/net/dev",
          "--property",
          "dockerNetwork=off",
        ),
      ).toMatch(/1$/);
    } finally {
      server.close();
    }
  });

  function listen(): Promise<Server> {
    return new Promise((resolve) => {
      const server = createServer((socket) => socket.destroy());
      server.listen(0, "127.0.0.1", () => resolve(server));
    });
  }

  test("the image's environment is merged under the action's", async () => {
    expect(await script("echo $BERTH_DEMO_IMAGE_ENV $A", "--env", "A=b")).toBe(
      "from-the-image b",
    );
    expect(
      await script(
        "echo $BERTH_DEMO_IMAGE_ENV",
        "--env",
        "BERTH_DEMO_IMAGE_ENV=own",
      ),
    ).toBe("own");
  });

  test("outputs come back with their kinds and modes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "berth-outputs-"));
    try {
      await script(
        "mkdir -p d/empty && echo 1 > d/f && chmod +x d/f && ln -s f d/l && cat /etc/debian_version > v",
        ...["--output", "d", "--output", "v", "--output-folder", folder],
      );
      const listing = execFileSync(
        "find",
        [".", "-mindepth", "1", "-printf", "%P %y %m %l\n"],
        { cwd: folder, encoding: "utf8" },
      );
      expect(listing.trim().split("\n").sort()).toEqual([
        "d d 755 ",
        "d/empty d 755 ",
        "d/f f 755 ",
        "d/l l 777 f",
        "v f 644 ",
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("exit statuses are the action's own, 125 and faults included", async () => {
    for (const status of [0, 1, 42, 125, 126, 127, 255]) {
      const result = await berth.run(
        ...[image.pinned, "--", "/bin/sh", "-c", `exit ${status}`],
      );
      expect(result).toEqual({ status, stdout: "", stderr: "" });
    }
    const missing = await berth.run(image.pinned, "--", "no-such-program");
    expect(missing).toEqual({
      status: 127,
      stdout: "",
      stderr: expect.stringMatching(/^berth-exec: .*no-such-program.*/),
    });
  });
});
