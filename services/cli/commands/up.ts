import { setTimeout as sleep } from "node:timers/promises";
import { aborted, type ProgramContext } from "../../../lib/program/index.js";
import { checkDockerConfigFile } from "../check-docker-config-file.js";
import type { Command } from "../command.js";
import { defaultServer } from "../job/job-settings.js";
import { registryHelp } from "../registry-flags.js";
import { answersHttp } from "../up/answers-http.js";
import { checkAddressFree } from "../up/check-address-free.js";
import { formatLogLine } from "../up/format-log-line.js";
import { findInstallation } from "../up/installation-process.js";
import { jobsUrl } from "../up/jobs-url.js";
import { type LocalSettings, localPaths } from "../up/local-configuration.js";
import { createStart, type Start } from "../up/start.js";
import { lockStateFolder } from "../up/state-folder-lock.js";
import {
  type SupervisedProcess,
  superviseProcess,
} from "../up/supervised-process.js";
import { parseUpSettings } from "../up/up-settings.js";
import { waitUntilServing } from "../up/wait-until-serving-grpc.js";
import { writeConfigurations } from "../up/write-configuration-files.js";

/** How long a service may take to start, in milliseconds. */
const startTimeoutMs = 30_000;

/** Between two questions whether the job service answers. */
const askIntervalMs = 50;

/** How long a service may take to stop: actions under way are ended. */
const stopGraceMs = 10_000;

const help = `usage: berth up [OPTION…]

Runs engine, router, root fetcher and the job service for this machine until it
is interrupted, and prints the flags for Bazel and where jobs are taken.

  --state FOLDER         everything that is kept (/var/lib/berth for root, else
                         ~/.local/state/berth)
  --listen ADDRESS       where the engine serves REAPI (127.0.0.1:8980)
  --jobs-listen ADDRESS|off
                         where jobs are taken and shown: whoever reaches it may
                         run them (127.0.0.1:3000)
  --jobs N               actions at a time (the machine's cores)
  --cache-size SIZE      bound of CAS (20GiB)
  --roots-size SIZE      bound of image roots (50GiB)
  --mode bind_mount|inline
                         how an image reaches an action: as a root beneath it,
                         or as its input root (bind_mount)
  --source registry|cas  where roots are made from; inline it is cas (registry)
  --tags reject|resolve  images named by tag: refuse them and say the digest, or
                         run them uncached (reject)
  --no-image sandbox|pass|reject
                         actions that name no image: run them in this machine's
                         root without berth's own files, as they are, or not
                         (sandbox)
  --network host|none    for actions that do not say it (host)
${registryHelp}
  --verbose              more lines`;

/** `berth up`: all services for one machine. */
export const upCommand: Command = {
  help,
  run,
};

async function run(
  args: readonly string[],
  context: ProgramContext,
): Promise<number> {
  const settings = parseUpSettings(args, context.env);
  checkDockerConfigFile(settings.dockerConfig);
  const installation = findInstallation();
  const lock = await lockStateFolder(settings.state, installation.helper);
  const { jobsListen } = settings;
  if (jobsListen !== undefined) {
    await checkAddressFree("--jobs-listen", jobsListen);
  }
  const services = await writeConfigurations(settings, installation);
  const running: SupervisedProcess[] = [];
  const start = createStart(services.map(({ name }) => name));
  try {
    for (const { name, command } of services) {
      running.push(
        superviseProcess({
          name,
          command,
          onLine: (line) => {
            print(formatLogLine(name, line));
            start.line(name, line);
          },
          onRestart: (why, delayMs) => {
            start.ended(name, why);
            print(`${name}: ended (${why}); starts again in ${delayMs} ms`);
          },
        }),
      );
    }
    if (jobsListen !== undefined) void awaitJobs(jobsListen, start, context);
    await Promise.race([start.done, aborted(context.signal)]);
    await waitForAll(settings, context.signal);
    if (!context.signal.aborted) process.stdout.write(greeting(settings));
    await aborted(context.signal);
    return 0;
  } finally {
    // From the last that uses the others to the first: an engine's actions
    // need router and root fetcher to their end.
    for (const service of running.reverse()) await service.stop(stopGraceMs);
    await lock.close();
  }
}

function print(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function waitForAll(
  settings: LocalSettings,
  signal: AbortSignal,
): Promise<void> {
  const { routerSocket } = localPaths(settings.state);
  for (const [name, address] of [
    ["engine", settings.listen],
    ["router", `unix:${routerSocket}`],
  ] as const) {
    await waitUntilServing({
      name,
      address,
      timeoutMs: startTimeoutMs,
      signal,
    });
  }
}

/** By asking it: LOG_LEVEL may keep it from saying that it serves. */
async function awaitJobs(
  listen: string,
  start: Start,
  { signal }: ProgramContext,
): Promise<void> {
  const url = `${jobsUrl(listen)}/v1/jobs?limit=1`;
  while (!signal.aborted) {
    if (await answersHttp(url)) {
      start.serving("workflow");
      return;
    }
    await sleep(askIntervalMs);
  }
}

function greeting(settings: LocalSettings): string {
  const { listen, state, jobsListen } = settings;
  return `berth is up (state in ${state}). For Bazel:

  bazel build --remote_executor=grpc://${listen} \\
    --remote_default_exec_properties=container-image=docker://IMAGE@sha256:… //...

or, without Bazel:

  berth run --engine ${listen} IMAGE@sha256:… -- COMMAND
${jobsListen === undefined ? "" : jobsGreeting(jobsUrl(jobsListen))}
Stop with Ctrl-C.
`;
}

function jobsGreeting(url: string): string {
  const server = url === defaultServer ? "" : `--server ${url} `;
  return `
For jobs of several containers, to be watched at ${url}/ :

  berth job submit ${server}--follow FILE
`;
}
