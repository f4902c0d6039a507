// Holds the import rules of ARCHITECTURE.md, so that they survive.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

interface SourceFile {
  path: string;
  text: string;
  /** Imported files of the project, relative to its root. */
  imports: string[];
  /** Imported packages and Node modules. */
  packages: string[];
}

const files = new Map<string, SourceFile>();
for (const path of listSources(["lib", "services", "bench"])) {
  const text = readFileSync(join(root, path), "utf8");
  const imports: string[] = [];
  const packages: string[] = [];
  for (const [, target = ""] of text.matchAll(
    /^(?:import|export)\s[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"/gm,
  )) {
    if (!target.startsWith(".")) packages.push(target);
    else {
      const resolved = normalize(join(dirname(path), target));
      const source = resolved.replace(/\.js$/, ".ts");
      imports.push(existsSync(join(root, source)) ? source : `${source}x`);
    }
  }
  files.set(path, { path, text, imports, packages });
}

/** Files of production code: what the rules are about. */
const production = [...files.values()].filter(
  ({ path }) => !/\.test\.tsx?$|\/test(ing|data)?\/|^bench\//.test(path),
);

function listSources(folders: string[]): string[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => walk(join(root, folder)))
    .map((path) => relative(root, path));
}

function walk(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path))
    .filter((path) => !/(^|\/)(node_modules|target)\//.test(path))
    .map((path) => join(folder, path));
}

/** All breaches of a rule, as "file: what". */
function breaches(
  check: (file: SourceFile) => readonly (string | undefined)[],
): string[] {
  return production.flatMap((file) =>
    check(file).flatMap((what) =>
      what === undefined ? [] : [`${file.path}: ${what}`],
    ),
  );
}

function folderOf(path: string): string {
  return path.split("/").slice(0, 2).join("/");
}

test("there is something to check", () => {
  expect(production.length).toBeGreaterThan(20);
  expect(
    production.flatMap(({ imports }) => imports).filter((p) => !files.has(p)),
  ).toEqual([]);
});

test("lib never imports a service, and no service another", () => {
  const found = breaches(({ path, imports }) =>
    imports.map((target) =>
      target.startsWith("services/") && folderOf(target) !== folderOf(path)
        ? `imports ${target}`
        : undefined,
    ),
  );
  expect(found).toEqual([]);
});

test("a folder of lib is entered by its index alone", () => {
  const found = breaches(({ path, imports }) =>
    imports.map((target) =>
      target.startsWith("lib/") &&
      folderOf(target) !== folderOf(path) &&
      target !== `${folderOf(target)}/index.ts`
        ? `imports ${target}`
        : undefined,
    ),
  );
  expect(found).toEqual([]);
});

test("the web page and the service share nothing but types", () => {
  const isWeb = (path: string) => path.startsWith("services/workflow/web/");
  const found = breaches(({ path, text, imports, packages }) => {
    if (!isWeb(path)) {
      return imports.map((to) => (isWeb(to) ? `imports ${to}` : undefined));
    }
    const types = new Set(
      [...text.matchAll(/^import type\s[^;]*?from\s+"([^"]+)"/gm)].map(
        ([, target = ""]) =>
          normalize(join(dirname(path), target)).replace(/\.js$/, ".ts"),
      ),
    );
    return [
      ...imports.map((to) =>
        isWeb(to) || types.has(to) ? undefined : `imports code of ${to}`,
      ),
      ...packages.map((name) =>
        /^preact(\/hooks)?$/.test(name) ? undefined : `imports ${name}`,
      ),
    ];
  });
  expect(found).toEqual([]);
});

test("an index holds exports only", () => {
  const found = breaches(({ path, text }) => [
    path.endsWith("/index.ts") &&
    /^(?!export |\s|}|\/[/*]|$)/m.test(text.trimEnd())
      ? "holds more than exports"
      : undefined,
  ]);
  expect(found).toEqual([]);
});

test("imports have no cycles, type imports included", () => {
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "open");
    for (const next of files.get(path)?.imports ?? []) {
      visit(next, [...trail, path]);
    }
    state.set(path, "done");
  };
  for (const path of files.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

test("only programs read their arguments and environment", () => {
  const found = breaches(({ path, text }) => [
    /process\.(argv|env)\b/.test(text) &&
    !/\/main\.ts$|^lib\/program\//.test(path)
      ? "reads process.argv or process.env"
      : undefined,
  ]);
  expect(found).toEqual([]);
});

test("lib never logs and never ends the process", () => {
  const found = breaches(({ path, text, imports }) => {
    if (!path.startsWith("lib/") || /^lib\/(log|program)\//.test(path)) {
      return [];
    }
    return [
      imports.includes("lib/log/index.ts") ? "imports lib/log" : undefined,
      /\bconsole\.|process\.exit\b/.test(text)
        ? "logs or ends the process"
        : undefined,
    ];
  });
  expect(found).toEqual([]);
});

test("files that touch disk, processes or HTTP say so in their names", () => {
  const touching = new Set([
    "node:fs",
    "node:fs/promises",
    "node:child_process",
    "node:http",
    "node:http2",
    "node:worker_threads",
  ]);
  const saying =
    /main|configuration|grpc|http|file|disk|store|worker|process|program|directory|layout|runner|writer|socket|lock|credential/;
  const found = breaches(({ path, packages }) =>
    packages.map((name) =>
      touching.has(name) && !saying.test(path.split("/").slice(1).join("/"))
        ? `imports ${name}`
        : undefined,
    ),
  );
  expect(found).toEqual([]);
});

test("no file is a drawer for anything", () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|manager|shared)(\.|\/|-)/;
  expect(
    production
      .map(({ path }) => path.replace("services/chroot-helper", ""))
      .filter((path) => vague.test(path)),
  ).toEqual([]);
});

test("no file is longer than 400 lines", () => {
  const found = breaches(({ text }) => {
    const lines = text.split("\n").length - 1;
    return [lines > 400 ? `has ${lines} lines` : undefined];
  });
  expect(found).toEqual([]);
});
