// `make bench`: measures ours against peers in one run, prints a table, and
// writes bench/out/report.json. Arguments choose parts: start root import route
// build jobs.
import { fileURLToPath } from "node:url";
import { benchBuild } from "./build.js";
import { measureColdRoot } from "./cold-root.js";
import { benchImport } from "./import.js";
import { benchJobs } from "./jobs.js";
import { type BenchRow, formatTable, writeReport } from "./report.js";
import { benchRouteAction } from "./route-action.js";
import { benchStart } from "./start.js";

const parts: Readonly<Record<string, () => BenchRow[] | Promise<BenchRow[]>>> =
  {
    start: benchStart,
    root: measureColdRoot,
    import: benchImport,
    route: benchRouteAction,
    build: benchBuild,
    jobs: benchJobs,
  };

const chosen = process.argv.slice(2);
const unknown = chosen.find((name) => parts[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(
    `bench: there is no part "${unknown}": choose from ${Object.keys(parts).join(", ")}\n`,
  );
  process.exit(1);
}

const rows: BenchRow[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  process.stderr.write(`bench: ${name}\n`);
  rows.push(...(await measure()));
}
process.stdout.write(`${formatTable(rows)}\n`);
await writeReport(
  fileURLToPath(new URL("../../bench/out/report.json", import.meta.url)),
  rows,
);
