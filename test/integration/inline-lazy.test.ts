// Proves that an action in mode inline fetches what it opens of its image and
// nothing else: the router imports a real image into a CAS that others wrote,
// and a FUSE that others wrote shows the routed input root to the helper.
import { chmodSync, cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  test,
} from "@jest/globals";
import {
  Action,
  Command,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import {
  ActionRouterClient,
  RouteActionRequest,
} from "#proto/buildbarn/remoteactionrouter/remoteactionrouter.js";
import {
  createGrpcCasClients,
  type GrpcCasClients,
  GrpcContentAddressableStorage,
} from "../../lib/cas/index.js";
import { Digest, parseInstanceName } from "../../lib/digest/index.js";
import {
  callUnary,
  channelCredentials,
  channelOptions,
} from "../../lib/grpc/index.js";
import {
  expandTree,
  loadTree,
  readDirectory,
  resolveTreePath,
} from "../../lib/merkle-tree/index.js";
import { type ProgramResult, runProgram } from "../fixtures/berth.js";
import { berthExec } from "../fixtures/berth-exec.js";
import { storeTree } from "../fixtures/cas-tree.js";
import type { ChildServer } from "../fixtures/child-server.js";
import { type PushedImage, pushDemoImage } from "../fixtures/demo-image.js";
import { startDockerRegistry } from "../fixtures/docker-registry.js";
import { type LazyMount, mountLazily } from "../fixtures/lazy-mount.js";
import { startBuildBox } from "../fixtures/python-peers.js";
import { startRouterProcess } from "../fixtures/router-process.js";

const context = { instanceName: parseInstanceName("") };
const folder = mkdtempSync(join(tmpdir(), "berth-lazy-"));

let registry: ChildServer;
let image: PushedImage;
let casServer: ChildServer;
let clients: GrpcCasClients;
let cas: GrpcContentAddressableStorage;
let router: ChildServer;
let inputRoot: Digest;
let mounts = 0;
let mounted: LazyMount | undefined;

beforeAll(async () => {
  chmodSync(folder, 0o755);
  cpSync(berthExec, join(folder, "berth-exec"));
  const build = `build_directory = "${folder}"\n`;
  writeFileSync(join(folder, "exec.toml"), build);
  registry = await startDockerRegistry();
  image = pushDemoImage(registry.host, { withGcc: true });
  casServer = await startBuildBox();
  clients = createGrpcCasClients({ address: casServer.host });
  cas = new GrpcContentAddressableStorage(clients);
  router = await startRouterProcess(folder, {
    registries: { [registry.host]: { plainHttp: true } },
    instances: [
      {
        prefix: "",
        cas: { address: casServer.host },
        mode: "inline",
        helper: [
          join(folder, "berth-exec"),
          `--config=${join(folder, "exec.toml")}`,
        ],
      },
    ],
  });
  const program = '#include <stdio.h>\nint main(){puts("compiled");}\n';
  const project = { "hello.c": program, unread: "nobody reads this" };
  inputRoot = await storeTree(cas, { project });
  await route("has the image imported");
}, 300_000);

afterEach(async () => {
  await mounted?.stop();
  mounted = undefined;
});

afterAll(async () => {
  await router.stop();
  clients.close();
  await casServer.stop();
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Has an action routed that runs a shell script in the image. */
async function route(
  script: string,
): Promise<{ command: Command; root: Digest }> {
  const command = Command.fromPartial({
    arguments: ["/bin/sh", "-c", script],
    environmentVariables: [{ name: "PATH", value: "/usr/bin:/bin" }],
    workingDirectory: "project",
    outputPaths: ["out/hello"],
  });
  const data = Command.encode(command).finish();
  const action = Action.fromPartial({
    commandDigest: (await cas.write(data, context)).toProto(),
    inputRootDigest: inputRoot.toProto(),
    platform: {
      properties: [{ name: "container-image", value: image.pinned }],
    },
  });
  const client = new ActionRouterClient(
    router.host,
    channelCredentials(),
    channelOptions({}),
  );
  const request = RouteActionRequest.fromPartial({ action });
  const { action: routed } = await callUnary(
    client.routeAction.bind(client),
    request,
    { deadline: new Date(Date.now() + 240_000) },
  ).finally(() => client.close());
  const digest = Digest.fromProto(routed?.commandDigest, "command");
  return {
    command: Command.decode(await cas.read(digest, context)),
    root: Digest.fromProto(routed?.inputRootDigest, "input root"),
  };
}

/** Routes a script, mounts its input root, and runs it as a runner does. */
async function run(
  { uid, owner }: { readonly uid: number; readonly owner: number },
  script: string,
): Promise<{ result: ProgramResult; root: Digest; mount: LazyMount }> {
  const { command, root } = await route(script);
  const own = join(folder, String(++mounts));
  const mount = await mountLazily({ cas, root, uid: owner, folder: own });
  mounted = mount;
  const { arguments: argv, workingDirectory } = command;
  // Not by this process: it must not go there, not even with its child.
  const enter = 'cd "$1" && mkdir -p out && shift && exec "$@"';
  const result = await runProgram(
    "setpriv",
    [
      ...["--reuid", String(uid), "--regid", String(uid), "--clear-groups"],
      ...["sh", "-c", enter, "sh", join(mount.path, workingDirectory)],
      ...argv,
    ],
    {
      env: Object.fromEntries(
        command.environmentVariables.map(({ name, value }) => [name, value]),
      ),
    },
  );
  return { result, root, mount };
}

/** What of a tree was read: paths of files, and how many Directories. */
async function readsOf({ root, mount }: { root: Digest; mount: LazyMount }) {
  const reads = new Set(mount.reads);
  const tree = await loadTree(cas, root, { context });
  const files = [...expandTree(tree)].flatMap((entry) =>
    entry.type === "file" ? [entry] : [],
  );
  const directories = [...tree.directories.keys()];
  return {
    files: files
      .filter(({ digest }) => reads.has(digest.key))
      .map(({ path }) => path)
      .sort(),
    allFiles: files.length,
    directories: directories.filter((key) => reads.has(key)).length,
    allDirectories: directories.length,
  };
}

/** What a tree has beside the action's own directory. */
async function imageIn(root: Digest): Promise<unknown> {
  const { directory } = await readDirectory(cas, root, context);
  const { files, symlinks, directories } = directory;
  const others = directories.filter(({ name }) => name !== "bazel_exec_root");
  expect(others.length).toBeGreaterThan(10);
  return { files, symlinks, directories: others };
}

const libraries = "usr/lib/x86_64-linux-gnu";

describe.each([
  ["root", { uid: 0, owner: 0 }],
  ["root, with files of its sandbox's user", { uid: 0, owner: 65533 }],
  ["an ordinary user, with files of its own", { uid: 1234, owner: 1234 }],
])("a runner that is %s, over a FUSE that fetches lazily", (_, users) => {
  test("fetches of an image what a shell is made of, and nothing else", async () => {
    const { result, ...ran } = await run(users, "exit 3");
    expect(result).toEqual({ status: 3, stdout: "", stderr: "" });
    const reads = await readsOf(ran);
    expect(reads.files).toEqual([
      // berth-exec adds the build user to what the image has there.
      "etc/group",
      "etc/ld.so.cache",
      "etc/passwd",
      "usr/bin/dash",
      `${libraries}/ld-linux-x86-64.so.2`,
      `${libraries}/libc.so.6`,
    ]);
    expect(reads.allFiles).toBeGreaterThan(4_000);
    expect(reads.directories).toBeLessThan(30);
    expect(reads.allDirectories).toBeGreaterThan(300);
  });

  test("fetches the compiler that an action runs, and takes its output", async () => {
    const script = "gcc hello.c -o out/hello && out/hello";
    const { result, ...ran } = await run(users, script);
    expect(result).toEqual({ status: 0, stdout: "compiled\n", stderr: "" });
    const reads = await readsOf(ran);
    expect(reads.files).toEqual(
      expect.arrayContaining([
        "bazel_exec_root/project/hello.c",
        "usr/bin/x86_64-linux-gnu-ld.bfd",
        "usr/include/stdio.h",
        `${libraries}/libmpfr.so.6.2.2`,
        "usr/libexec/gcc/x86_64-linux-gnu/14/cc1",
      ]),
    );
    expect(reads.files).not.toContain("bazel_exec_root/project/unread");
    expect(reads.files).not.toContain("usr/bin/dpkg");
    expect(reads.files.length).toBeLessThan(100);
    expect(reads.directories).toBeLessThan(60);
    const output = await ran.mount.capture();
    const path = "bazel_exec_root/project/out/hello";
    const { node } = await resolveTreePath(cas, output, { path, context });
    expect(node).toMatchObject({ type: "file", isExecutable: true });
    expect(await imageIn(output)).toEqual(await imageIn(ran.root));
  });

  test("leaves an image as it is that its action takes apart", async () => {
    const script =
      "if rm -r /usr/share/base-files && chmod 777 /usr/bin/dpkg && " +
      "echo more >>/etc/profile && mv /opt /new; then echo done; " +
      "else echo refused; fi 2>/dev/null | tee out/end";
    const { result, ...ran } = await run(users, script);
    // Root's files are nobody's in the sandbox.
    const stdout = users.owner === 0 ? "refused\n" : "done\n";
    expect(result).toEqual({ status: 0, stdout, stderr: "" });
    const output = await ran.mount.capture();
    const path = "bazel_exec_root/project/out/end";
    const { node } = await resolveTreePath(cas, output, { path, context });
    expect(node).toMatchObject({ type: "file" });
    expect(await imageIn(output)).toEqual(await imageIn(ran.root));
  });
});
