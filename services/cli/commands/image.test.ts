// `berth image` as users run it, with a CAS in this process.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import {
  type ProgramResult,
  runProgram,
} from "../../../test/fixtures/berth.js";
import { storeTree } from "../../../test/fixtures/cas-tree.js";
import { startDockerRegistry } from "../../../test/fixtures/docker-registry.js";
import {
  type ImportScenario,
  startImportScenario,
} from "../../../test/fixtures/import-scenario.js";
import { writeOciLayout } from "../../../test/fixtures/oci-layout.js";
import { projectFolder } from "../../../test/fixtures/project-folder.js";
import {
  tarArchive,
  tarFile,
  tarHeader,
  tarSymlink,
} from "../../../test/fixtures/tar-archive.js";
import {
  buildTestImage,
  pushTestImage,
  sha256,
} from "../../../test/fixtures/test-image.js";

const archive = tarArchive(
  tarFile("usr/bin/tool", "#!/bin/sh\n", { mode: 0o4755, mtime: 7 }),
  tarFile("etc/name", "one\n", { mtime: 7 }),
  tarSymlink("bin", "usr/bin"),
  tarHeader("dev/null", { type: "3" }),
);
const image = buildTestImage({ layers: [archive] });

let folder: string;
let layout: string;
let scenario: ImportScenario;
let tree: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-image-"));
  layout = `oci:${folder}/layout:t`;
  writeOciLayout(join(folder, "layout"), image);
  scenario = await startImportScenario();
});
afterAll(async () => {
  await scenario.stop();
  rmSync(folder, { recursive: true });
});

function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOME: folder,
    XDG_CACHE_HOME: join(folder, "cache"),
  };
}

function berth(...args: string[]): Promise<ProgramResult> {
  return runProgram(`${projectFolder}/bin/berth`, ["image", ...args], {
    env: environment(),
  });
}

function withCas(name: string, ...args: string[]): Promise<ProgramResult> {
  return berth(name, "--cas", scenario.address, ...args);
}

function jsonLines({ stdout }: ProgramResult): unknown[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("berth image import", () => {
  test("says what the image is, was and holds", async () => {
    const first = await withCas("import", layout);
    tree = /cas:\/\/\S+/.exec(first.stdout)?.[0] ?? "";
    expect(first).toEqual({
      status: 0,
      stderr: "",
      stdout: [
        `image     oci:${folder}/layout@${image.digest}`,
        `manifest  ${image.digest}`,
        `tree      ${tree}`,
        "content   2 files, 5 directories, 1 links, 14 B",
        "new       7 blobs, 563 B",
        "dropped   1 devices, 1 set-ID bits",
        "",
      ].join("\n"),
    });
  });

  test("tells programs as one line of JSON, and stores nothing twice", async () => {
    expect(jsonLines(await withCas("import", "--json", layout))).toEqual([
      {
        image: `oci:${folder}/layout@${image.digest}`,
        manifestDigest: image.digest,
        tree,
        files: 2,
        directories: 5,
        links: 1,
        bytes: 14,
        new: { blobs: 0, bytes: 0 },
        dropped: {
          devices: 1,
          fifos: 0,
          xattrs: 0,
          setIds: 1,
          aufs: 0,
          names: 0,
        },
      },
    ]);
    expect(readdirSync(join(folder, "cache/berth"))).toEqual(["layers"]);
  });
});

test("berth image import asks a mirror for the image", async () => {
  const registry = await startDockerRegistry();
  try {
    await pushTestImage(registry.host, "team/tool", { image, tag: "1" });
    const mirror = `hub.test=${registry.host}`;
    const options = ["--json", "--mirror", mirror, "hub.test/team/tool:1"];
    expect(jsonLines(await withCas("import", ...options))).toMatchObject([
      { image: `hub.test/team/tool@${image.digest}`, tree },
    ]);
  } finally {
    await registry.stop();
  }
});

describe("berth image ls", () => {
  test("lists a directory, links followed within the image", async () => {
    expect((await withCas("ls", tree)).stdout).toBe(
      [
        "lrwxrwxrwx            0 bin -> usr/bin",
        "drwxr-xr-x            0 dev",
        "drwxr-xr-x            0 etc",
        "drwxr-xr-x            0 usr",
        "",
      ].join("\n"),
    );
    expect((await withCas("ls", layout, "bin/../../../bin")).stdout).toBe(
      "-rwxr-xr-x           10 tool\n",
    );
    expect((await withCas("ls", "-R", tree, "/usr")).stdout).toBe(
      [
        "drwxr-xr-x            0 bin",
        "-rwxr-xr-x           10 bin/tool",
        "",
      ].join("\n"),
    );
  });

  test("tells programs as JSON, an entry a line", async () => {
    expect(jsonLines(await withCas("ls", "--json", tree, "/bin/tool"))).toEqual(
      [
        {
          path: "/usr/bin/tool",
          type: "file",
          mode: "0755",
          size: 10,
          sha256: sha256(Buffer.from("#!/bin/sh\n")).slice(7),
          executable: true,
          mtime: 7,
        },
      ],
    );
    expect(jsonLines(await withCas("ls", "--json", tree))).toContainEqual({
      path: "/bin",
      type: "symlink",
      target: "usr/bin",
    });
  });

  test.each([
    [
      ["/usr/none"],
      '"/usr/none" is not in the image: there is no "/usr/none" (NOT_FOUND)',
    ],
    [
      ["/bin/tool/x"],
      '"/bin/tool/x" leads through "/usr/bin/tool", which is no directory (FAILED_PRECONDITION)',
    ],
  ])("says what is wrong with a path (%#)", async (args, text) => {
    expect(await withCas("ls", tree, ...args)).toEqual({
      status: 2,
      stdout: "",
      stderr: `berth: Failed to list "${tree}": ${text}\n`,
    });
  });

  test("ends quietly when its reader leaves", async () => {
    const shape = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, at) => [`file-${at}`, ""]),
    );
    const digest = await storeTree(scenario.cas, shape);
    const script =
      '"$0" image ls --cas "$1" "$2" | head -n 1; echo $PIPESTATUS';
    const { stdout, stderr } = await runProgram("bash", [
      ...["-c", script, `${projectFolder}/bin/berth`],
      ...[scenario.address, `cas://${digest}`],
    ]);
    expect(stderr).toBe("");
    expect(stdout).toBe("-rw-r--r--            0 file-0\n141\n");
  });
});

describe("berth image diff", () => {
  let other: string;
  beforeAll(async () => {
    const shape = { usr: { bin: { "new\n": "#!" } }, bin: "-> sbin" };
    other = `cas://${await storeTree(scenario.cas, shape, 7)}`;
  });

  test("is silent but for the summary about equal trees", async () => {
    expect(await withCas("diff", tree, layout)).toEqual({
      status: 0,
      stdout: "0 added, 0 deleted, 0 modified, +0 bytes\n",
      stderr: "",
    });
  });

  test("says what came, went and changed", async () => {
    expect(await withCas("diff", tree, other)).toEqual({
      status: 1,
      stderr: "",
      stdout: [
        "M /  drwxr-xr-x, other time",
        "M /bin  -> usr/bin => -> sbin",
        "D /dev  drwxr-xr-x",
        "D /etc  drwxr-xr-x",
        "D /etc/name  -rw-r--r-- 4",
        "M /usr  drwxr-xr-x, other time",
        "M /usr/bin  drwxr-xr-x, other time",
        "A /usr/bin/new\\u{a}  -rwxr-xr-x 2",
        "D /usr/bin/tool  -rwxr-xr-x 10",
        "1 added, 4 deleted, 4 modified, -12 bytes",
        "",
      ].join("\n"),
    });
  });

  test("tells programs as JSON, a change a line and the sum", async () => {
    const lines = jsonLines(await withCas("diff", "--json", tree, other));
    expect(lines).toContainEqual({
      change: "modified",
      path: "/bin",
      before: { type: "symlink", target: "usr/bin" },
      after: { type: "symlink", target: "sbin" },
    });
    expect(lines.at(-1)).toEqual({
      summary: {
        ...{ before: tree, after: other },
        ...{ added: 1, deleted: 4, modified: 4, bytes: -12 },
      },
    });
  });
});

describe("berth image export", () => {
  test("writes a folder and the same archive each time", async () => {
    const to = join(folder, "out");
    const { stdout } = await withCas("export", "--json", tree, to);
    expect(JSON.parse(stdout)).toEqual({
      ...{ tree, to, files: 2, directories: 5, links: 1, bytes: 14 },
    });
    const file = join(folder, "out.tar");
    expect((await withCas("export", tree, file)).status).toBe(0);
    const piped = join(folder, "piped.tar");
    const script = `"$0" image export --cas "$1" "$2" - | cat >"$3"`;
    const program = `${projectFolder}/bin/berth`;
    const args = [program, scenario.address, tree, piped];
    await runProgram("bash", ["-c", script, ...args]);
    expect(readFileSync(piped)).toEqual(readFileSync(file));
    expect(readdirSync(folder).sort()).toEqual([
      ...["cache", "layout", "out", "out.tar", "piped.tar"],
    ]);
    execFileSync("tar", ["--compare", "--file", file, "-C", to]);
  });
});

describe("berth image", () => {
  test.each([
    [["import"], 'No image given: see "berth help image" (INVALID_ARGUMENT)'],
    [
      ["frob"],
      'Say what to do with images: import, ls, diff, export: see "berth help image" (INVALID_ARGUMENT)',
    ],
    [
      ["ls", "a", "b", "c"],
      '"c" is one argument too many: see "berth help image" (INVALID_ARGUMENT)',
    ],
    [
      ["ls", "--frob", "a"],
      `Unknown option '--frob': see "berth help image" (INVALID_ARGUMENT)`,
    ],
    [
      ["ls", "--platform", "frob", "x"],
      '--platform is wrong: Platform must be os/architecture[/variant], such as "linux/amd64": current value is "frob": see "berth help image" (INVALID_ARGUMENT)',
    ],
    [
      ["ls", "--cas", "127.0.0.1:1", "x"],
      'No CAS serves at "127.0.0.1:1": start one with "berth up", or name another by --cas (UNAVAILABLE)',
    ],
  ])("says what is wrong with %j", async (args, text) => {
    expect(await berth(...args)).toEqual({
      status: 2,
      stdout: "",
      stderr: `berth: ${text}\n`,
    });
  });

  test("export says what is wrong with its target before it fetches", async () => {
    const file = join(folder, "layout/index.json");
    for (const [to, text] of [
      [
        join(folder, "none/x"),
        `There is no folder "${folder}/none" for "${folder}/none/x": make it first`,
      ],
      [
        join(folder, "none/x.tar"),
        `There is no folder "${folder}/none" for "${folder}/none/x.tar": make it first`,
      ],
      [
        join(folder, "layout"),
        `Folder "${folder}/layout" must be new or empty: it holds "blobs"`,
      ],
      [
        file,
        `"${file}" is no folder: an archive's name must end with ".tar", or be "-"`,
      ],
    ] as const) {
      expect(await withCas("export", `oci:${folder}/none:t`, to)).toEqual({
        status: 2,
        stdout: "",
        stderr: `berth: ${text} (FAILED_PRECONDITION)\n`,
      });
    }
  });

  test("says that CAS has no such tree, or that there is no such image", async () => {
    const none = `cas://${"0".repeat(64)}/7`;
    expect(await withCas("ls", none)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        `CAS at "${scenario.address}" has no tree "${none}": import its image again, or check the digest`,
      ),
    });
    expect(await withCas("ls", `oci:${folder}/layout:u`)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('layout has no tag "u" (NOT_FOUND)'),
    });
    expect(await withCas("ls", `oci:${folder}/none:t`)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        `there is no file "${folder}/none/index.json", as an OCI layout has one (NOT_FOUND)`,
      ),
    });
    expect(await withCas("ls", "cas://1/2")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("(INVALID_ARGUMENT)"),
    });
  });

  test("says that CAS takes no blobs", async () => {
    const refused = { type: "status", code: Code.PermissionDenied } as const;
    const content = Buffer.from("refused");
    scenario.faults.set(`${sha256(content).slice(7)}-7`, refused);
    const layers = [tarArchive(tarFile("x", content))];
    writeOciLayout(join(folder, "refused"), buildTestImage({ layers }));
    const { status, stderr } = await withCas(
      "import",
      `oci:${folder}/refused:t`,
    );
    rmSync(join(folder, "refused"), { recursive: true });
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^berth: Failed to import image .* \(PERMISSION_DENIED\)\n$/,
    );
  });

  test("has a help text", async () => {
    const { status, stdout } = await berth("--help");
    expect(status).toBe(0);
    expect(stdout).toContain("berth image diff [OPTION…] IMAGE IMAGE");
  });
});
