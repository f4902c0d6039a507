import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { projectFolder } from "../test/fixtures/project-folder.js";

// Not at once: who blocks this process for long loses its HTTP connections.
const execute = promisify(execFile);

/** Programs run one after the other in the demo's image, over files. */
export interface ShellPipeline {
  /** Runs all; each reads what the one before it wrote. */
  run(): Promise<void>;
  /** Gives back what is mounted in the folder. */
  close(): void;
}

/**
 * A shell's pipeline of `runc run`, in the image as umoci unpacks it, with
 * what a job's step has: the machine's network, and no terminal.
 */
export async function createRuncPipeline(
  folder: string,
  programs: readonly (readonly string[])[],
): Promise<ShellPipeline> {
  const unpacked = join(folder, "unpacked");
  const image = `${await demoLayout()}:latest`;
  await execute("umoci", ["unpack", "--image", image, unpacked]);
  const spec = JSON.parse(readFileSync(join(unpacked, "config.json"), "utf8"));
  const commands = programs.map((args, index) => {
    const bundle = join(folder, `bundle-${index}`);
    mkdirSync(bundle);
    const config = {
      ...spec,
      process: { ...spec.process, terminal: false, args },
      root: { path: join(unpacked, "rootfs") },
      linux: {
        ...spec.linux,
        namespaces: spec.linux.namespaces.filter(
          ({ type }: { type: string }) => type !== "network",
        ),
      },
    };
    writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
    return `runc run --bundle ${bundle} berth-bench-${process.pid}`;
  });
  return { run: shellPipeline(folder, commands), close: () => {} };
}

/**
 * The same by `podman run` of an image in a registry; undefined, and a line
 * that says why, where podman cannot run a container.
 */
export async function createPodmanPipeline(
  folder: string,
  reference: string,
  programs: readonly (readonly string[])[],
): Promise<ShellPipeline | undefined> {
  const storage = `--root ${folder}/root --runroot ${folder}/run`;
  const run = `podman ${storage} run --rm --network=host --interactive`;
  // Podman mounts its storage on itself, each time that it runs, and leaves it
  // so; what it has only just ended may still be in it.
  const unmount = () =>
    spawnSync("umount", ["--lazy", `${folder}/root/overlay`]).status === 0;
  const close = () => {
    while (unmount());
  };
  try {
    const pull = `podman ${storage} pull --quiet --tls-verify=false ${reference}`;
    const { stdout } = await execute("sh", ["-c", pull]);
    const image = stdout.trim();
    const of = (args: readonly string[]) =>
      `${run} ${image} ${args.map(quote).join(" ")}`;
    await execute("sh", ["-c", `${of(["true"])} </dev/null`]);
    return { run: shellPipeline(folder, programs.map(of)), close };
  } catch (error) {
    const { stderr } = error as { stderr?: string }; // execFile's
    const why = (stderr ?? String(error)).trim().split("\n").at(-1);
    close();
    process.stderr.write(`bench: podman run does not work here: ${why}\n`);
    return undefined;
  }
}

function shellPipeline(
  folder: string,
  commands: readonly string[],
): () => Promise<void> {
  const script = commands
    .map((command, index) => {
      const stdin = index === 0 ? "/dev/null" : `${folder}/stdout-${index - 1}`;
      return `${command} <${stdin} >${folder}/stdout-${index}`;
    })
    .join(" && ");
  return async () => {
    await execute("sh", ["-c", script]);
  };
}

async function demoLayout(): Promise<string> {
  const script = join(projectFolder, "scripts/demo-image.sh");
  return (await execute(script)).stdout.trim();
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
