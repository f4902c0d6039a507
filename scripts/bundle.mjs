// Puts each program and all that it imports into a few files of dist/programs:
// a process that opens eight hundred takes twice as long to start. What is
// shared is in files of its own, so that nothing exists twice in a process.
import { rm } from "node:fs/promises";
import { build } from "esbuild";

const outdir = "dist/programs";

// Threads and processes of a program are found beside the code that starts
// them ("./store-worker.js"), so all of them are in one folder.
const entryPoints = {
  berth: "dist/services/cli/main.js",
  engine: "dist/services/engine/main.js",
  router: "dist/services/router/main.js",
  "root-fetcher": "dist/services/root-fetcher/main.js",
  workflow: "dist/services/workflow/main.js",
  "import-worker": "dist/lib/image-import/import-worker.js",
  "program-spawner-main": "dist/services/engine/runner/program-spawner-main.js",
  "store-thread-main": "dist/services/workflow/store/thread/store-thread-main.js",
  "store-worker": "dist/lib/root-store/store-worker.js",
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
  entryPoints,
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
