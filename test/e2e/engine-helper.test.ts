// Proves that actions which the router sends through the helper cannot change
// blobs either, end with it, and that the helper's own faults are none of theirs.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  Action,
  Command,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  ActionRouterService,
  type RouteActionRequest,
  RouteActionResponse,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import {
  type GrpcServer,
  implementUnary,
  serveGrpc,
} from "../../lib/grpc/index.js";
import { Code } from "../../lib/status/index.js";
import {
  EngineScenario,
  shell,
} from "../../services/engine/testing/engine-scenario.js";
import { berthExec } from "../fixtures/berth-exec.js";
import { perl } from "../fixtures/descriptor-passing.js";

const context = { instanceName: parseInstanceName("") };
const unexpected: unknown[] = [];
let directory: string;
let options: string[];
let router: GrpcServer;
let scenario: EngineScenario;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "engine-helper-"));
  mkdirSync(join(directory, "store"));
  await writeFile(
    join(directory, "exec.toml"),
    `store = "${directory}/store"
build_directory = "${directory}/build"
fault_fd = 3
`,
  );
  options = [`--config=${directory}/exec.toml`, "--sandbox"];
  router = await startRouter();
  scenario = await EngineScenario.start({
    build: join(directory, "build"),
    router: { address: router.address },
    helper: berthExec,
  });
});

afterAll(async () => {
  await scenario.stop();
  await router.stop(0);
  await rm(directory, { recursive: true });
  expect([...unexpected, ...scenario.unexpected]).toEqual([]);
});

/** A router that puts the helper before every command. */
function startRouter(): Promise<GrpcServer> {
  const sink = (error: unknown) => unexpected.push(error);
  return serveGrpc({
    listen: "127.0.0.1:0",
    sink,
    services: [
      {
        definition: ActionRouterService,
        implementation: { routeAction: implementUnary(route, sink) },
      },
    ],
  });
}

async function route({ action }: RouteActionRequest) {
  const digest = Digest.fromProto(action?.commandDigest, "command_digest");
  const command = Command.decode(await scenario.cas.read(digest, context));
  command.arguments = [berthExec, ...options, "--", ...command.arguments];
  const data = Command.encode(command).finish();
  const written = await scenario.cas.write(data, context);
  return RouteActionResponse.fromPartial({
    action: Action.fromPartial({
      ...action,
      commandDigest: written.toProto(),
      platform: { properties: [] },
    }),
    invocationKeys: [{ typeUrl: "type.test/key", value: Buffer.from("k") }],
  });
}

/** Blobs whose bytes are not their name's. */
function changedBlobs(): string[] {
  const blobs = join(scenario.directory, "state/cas/blobs");
  return readdirSync(blobs, { recursive: true, encoding: "utf8" })
    .filter((path) => path.includes("/"))
    .filter((path) => {
      const { key } = Digest.of(readFileSync(join(blobs, path)));
      return !path.includes(key);
    });
}

function sleepers(seconds: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return line === `sleep\0${seconds}\0`;
    } catch {
      return false; // no process, or it ended
    }
  });
}

test("an action in the helper cannot change its inputs' blobs", async () => {
  const seen = await scenario.run({
    command: shell(
      `chmod 777 data; echo x > data; echo x >> tool; chown 0 data
       ln data l && chmod 666 l && echo x > l; touch -d @1 data
       mv tool moved; echo mine > tool; echo out > out; true`,
      { outputPaths: ["out", "tool", "moved", "data"] },
    ),
    inputs: { data: "content", tool: { program: "#!/bin/sh\necho tool" } },
  });
  expect(seen.response.result?.exitCode).toBe(0);
  expect(changedBlobs()).toEqual([]);
  expect(await scenario.text(seen, "out")).toBe("out\n");
  expect(await scenario.text(seen, "tool")).toBe("mine\n");
  expect(await scenario.text(seen, "moved")).toBe("#!/bin/sh\necho tool");
  expect(await scenario.text(seen, "data")).toBe("content");
});

test("an action in the helper gives other users no program with its rights", async () => {
  const running = scenario.run({
    command: shell("cp /bin/true gain; chmod 4755 gain; sleep 1"),
  });
  const build = join(directory, "build");
  const made = () => readdirSync(build).map((name) => join(build, name));
  await until(() => made().some((path) => existsSync(`${path}/root/gain`)));
  // It is root's, or whoever's the engine is.
  for (const path of made()) expect(lstatSync(path).mode & 0o077).toBe(0);
  expect((await running).response.result?.exitCode).toBe(0);
});

test("an action in the helper ends with all that it began", async () => {
  const left = await scenario.run({
    command: shell(
      "setsid sleep 68.5 & head -c 1000000 /dev/zero > big; exit 0",
      { outputPaths: ["big"] },
    ),
  });
  expect(left.response.result?.outputFiles).toHaveLength(1);
  expect(sleepers("68.5")).toEqual([]);
  const late = await scenario.run({
    command: shell("setsid sleep 69.5 & sleep 69.5"),
    action: { timeout: { seconds: 0, nanos: 5e8 } },
  });
  expect(late.response.status?.code).toBe(Code.DeadlineExceeded);
  expect(sleepers("69.5")).toEqual([]);
});

test("an action that hands its open files to another changes no blob", async () => {
  const name = `berth-${process.pid}`;
  const accomplice = scenario.run({
    command: shell(
      perl(`my $from = caller_of("${name}");
        open(my $out, ">>&=", take($from)); open(my $log, ">>&=", take($from));
        my $directory = take($from);
        1 while sysread($from, my $byte, 1); # until the other one is dead
        for (1 .. 30) {
          syswrite($out, "changed"); syswrite($log, "changed");
          my $again = "/proc/self/fd/$directory/big";
          chmod 0777, $again;
          if (open(my $file, "+<", $again)) { syswrite($file, "changed") }
          select undef, undef, undef, 0.05;
        }
        print "had them all"`),
    ),
  });
  const giver = await scenario.run({
    command: shell(
      perl(`open(my $out, ">>", "big"); syswrite($out, "o" x 1000000);
        syswrite(STDOUT, "l" x 1000000);
        my $to = called_by("${name}");
        sysopen(my $directory, ".", O_RDONLY);
        give($to, fileno $_) for $out, \\*STDOUT, $directory;
        select undef, undef, undef, 0.2`),
      { outputPaths: ["big"] },
    ),
  });
  expect(giver.response.result).toMatchObject({ exitCode: 0 });
  const seen = await accomplice;
  expect(await scenario.text(seen, "stderr")).toBe("");
  expect(await scenario.text(seen, "stdout")).toBe("had them all");
  expect(changedBlobs()).toEqual([]);
});

test.each([0, 7, 125, 126, 127])(
  "an action in the helper has exit code %d as its own",
  async (exitCode) => {
    const { response } = await scenario.run({
      command: shell(`exit ${exitCode}`),
    });
    expect(response).toMatchObject({ result: { exitCode } });
    expect(response.status).toBeUndefined();
  },
);

test("a fault of the helper is a status and not an exit code", async () => {
  const before = options;
  options = [
    `--config=${directory}/exec.toml`,
    `--image=localhost:1/x@sha256:${"0".repeat(64)}`,
  ];
  try {
    const { response } = await scenario.run({ command: shell("true") });
    expect(response.result).toBeUndefined();
    expect(response.status).toMatchObject({
      code: expect.any(Number),
      message: expect.stringMatching(/./),
    });
    expect(response.status?.code).not.toBe(Code.Ok);
  } finally {
    options = before;
  }
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
