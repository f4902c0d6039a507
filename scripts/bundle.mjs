// Puts each program and all that it imports into a few files of dist/programs:
// a process that opens eight hundred takes twice as long to start. What is
// shared is in files of its own, so that nothing exists twice in a process.
import { rm } from "node:fs/promises";
import { build } from "esbuild";

const outdir = "dist/programs";

// Threads and processes of a program are found beside the code that starts
// them ("./store-worker.js"), so all of them are in one folder.
const entryPoints = {
  berth: "services/cli/main",
  engine: "services/engine/main",
  router: "services/router/main",
  "root-fetcher": "services/root-fetcher/main",
  workflow: "services/workflow/main",
  "import-worker": "lib/image-import/import-worker",
  "program-spawner-main": "services/engine/runner/program-spawner-main",
  "store-thread-main": "services/workflow/store/thread/store-thread-main",
  "store-worker": "lib/root-store/store-worker",
};

// Packages that are no modules ask for these by name.
const commonJs = `
import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;
`;

await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: Object.fromEntries(
    Object.entries(entryPoints).map(([name, path]) => [
      name,
      `dist/${path}.js`,
    ]),
  ),
  outdir,
  bundle: true,
  splitting: true,
  sourcemap: true,
  format: "esm",
  platform: "node",
  target: "node20",
  banner: { js: commonJs.trim() },
  // They find their native parts by where they are.
  external: ["better-sqlite3", "zstd-napi"],
  logLevel: "warning",
});
