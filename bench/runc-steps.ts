import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../test/fixtures/project-folder.js";

/** Programs run one after the other in the demo's image, over files. */
export interface ShellPipeline {
  /** Runs all; each reads what the one before it wrote. */
  run(): void;
}

/**
 * A shell's pipeline of `runc run`, in the image as umoci unpacks it, with
 * what a job's step has: the machine's network, and no terminal.
 */
export function createRuncPipeline(
  folder: string,
  programs: readonly (readonly string[])[],
): ShellPipeline {
  const unpacked = join(folder, "unpacked");
  const image = `${demoLayout()}:latest`;
  execFileSync("umoci", ["unpack", "--image", image, unpacked]);
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
  return shellPipeline(folder, commands);
}

/**
 * The same by `podman run` of an image in a registry; undefined, and a line
 * that says why, where podman cannot run a container.
 */
export function createPodmanPipeline(
  folder: string,
  reference: string,
  programs: readonly (readonly string[])[],
): ShellPipeline | undefined {
  const storage = `--root ${folder}/root --runroot ${folder}/run`;
  const run = `podman ${storage} run --rm --network=host --interactive`;
  try {
    const pull = `podman ${storage} pull --quiet --tls-verify=false ${reference}`;
    const image = execFileSync("sh", ["-c", pull], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
    const of = (args: readonly string[]) =>
      `${run} ${image} ${args.map(quote).join(" ")}`;
    execFileSync("sh", ["-c", of(["true"])], { stdio: "pipe" });
    return shellPipeline(folder, programs.map(of));
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer | string }; // execFileSync's
    const why = String(stderr ?? error)
      .trim()
      .split("\n")
      .at(-1);
    process.stderr.write(`bench: podman run does not work here: ${why}\n`);
    return undefined;
  }
}

function shellPipeline(
  folder: string,
  commands: readonly string[],
): ShellPipeline {
  const script = commands
    .map((command, index) => {
      const stdin = index === 0 ? "/dev/null" : `${folder}/stdout-${index - 1}`;
      return `${command} <${stdin} >${folder}/stdout-${index}`;
    })
    .join(" && ");
  return { run: () => void execFileSync("sh", ["-c", script]) };
}

function demoLayout(): string {
  const script = join(projectFolder, "scripts/demo-image.sh");
  return execFileSync(script, { encoding: "utf8" }).trim();
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
