// Jobs against what else does the same: their steps' actions alone, and a
// shell that runs containers over files; then many at once. Pairs take turns.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createBareActions } from "./bare-actions.js";
import { benchJobLoad } from "./job-load.js";
import {
  type JobScenario,
  type JobStep,
  startJobScenario,
} from "./job-scenario.js";
import { type BenchRow, compare, formatTable, median } from "./report.js";
import { createPodmanPipeline, createRuncPipeline } from "./runc-steps.js";

const rounds = 9;
const chainLength = 20;

/** Measures jobs; needs root, docker-registry, umoci and runc. */
export async function benchJobs(): Promise<BenchRow[]> {
  const scenario = await startJobScenario();
  try {
    await run(scenario, chainOf(1)); // the image's root is made
    return [
      ...(await benchSteps(scenario)),
      ...(await benchPipeline(scenario, "a few kB", 1_000)),
      ...(await benchPipeline(scenario, "100 MB", 12_700_000)),
      ...(await benchJobLoad(scenario)),
    ];
  } finally {
    await scenario.stop();
  }
}

async function run(
  { submit, follow }: JobScenario,
  steps: readonly JobStep[],
): Promise<void> {
  await follow(await submit(steps));
}

function chainOf(length: number): JobStep[] {
  return Array.from({ length }, (_, index) => ({
    ...{ name: `s${index}`, entrypoint: ["/bin/true"] },
  }));
}

/** Medians of works that take turns; the first turn is for warming up. */
async function timeInTurns(
  works: readonly (() => void | Promise<void>)[],
): Promise<number[]> {
  const times: number[][] = works.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, work] of works.entries()) {
      const start = performance.now();
      await work();
      if (round > 0) times[index]?.push(performance.now() - start);
    }
  }
  return times.map(median);
}

/** A chain of steps that do nothing, against their actions one by one. */
async function benchSteps(scenario: JobScenario): Promise<BenchRow[]> {
  using actions = createBareActions(scenario);
  const count = chainLength * (rounds + 1);
  const digests = [...(await actions.prepare(["/bin/true"], count))];
  const [job = Number.NaN, bare = Number.NaN] = await timeInTurns([
    () => run(scenario, chainOf(chainLength)),
    async () => {
      for (const digest of digests.splice(0, chainLength)) {
        await actions.execute(digest);
      }
    },
  ]);
  const ours = job / chainLength;
  const peer = bare / chainLength;
  const name = `a step of a job of ${chainLength}`;
  return [
    compare(`${name} / its bare action`, "ms", { ours, peer }),
    { name: `${name}: added to its action`, ours: ours - peer, unit: "ms" },
  ];
}

/** Three steps that hand on numbers from 1 to `last`, as lines. */
async function benchPipeline(
  scenario: JobScenario,
  size: string,
  last: number,
): Promise<BenchRow[]> {
  const programs = [
    ["/usr/bin/seq", String(last)],
    ["/usr/bin/tr", "0-9", "a-j"],
    ["/usr/bin/wc", "-c"],
  ];
  const names = ["generate", "transform", "count"];
  const steps = programs.map((entrypoint, index) => {
    const stdin = names[index - 1];
    const name = names[index] ?? "";
    return { name, entrypoint, ...(stdin !== undefined && { stdin }) };
  });
  // Short names: podman takes no path beyond 50 bytes.
  const folder = () => mkdtempSync(join(scenario.folder, "p-"));
  const peers = [
    ["runc run", await createRuncPipeline(folder(), programs)],
    [
      "podman run",
      await createPodmanPipeline(folder(), scenario.image, programs),
    ],
  ] as const;
  const there = peers.flatMap(([peer, pipeline]) =>
    pipeline === undefined ? [] : [{ peer, pipeline }],
  );
  const [ours = Number.NaN, ...theirs] = await timeInTurns([
    () => run(scenario, steps),
    ...there.map(
      ({ pipeline }) =>
        () =>
          pipeline.run(),
    ),
  ]);
  for (const { pipeline } of there) pipeline.close();
  return there.map(({ peer }, index) =>
    compare(`a job of three steps over ${size} / ${peer} by a shell`, "ms", {
      ...{ ours, peer: theirs[index] ?? Number.NaN },
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${formatTable(await benchJobs())}\n`);
}
