// The web page for jobs, in a real browser, on a real service with an engine
// and a store: what people see of jobs, and what they can do with them.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { image, JobPageScenario } from "../fixtures/job-page.js";

let scenario: JobPageScenario;
let page: Page;

beforeAll(async () => {
  scenario = await JobPageScenario.start();
}, 120_000);
afterAll(() => scenario.stop());
beforeEach(() => {
  scenario.complaints.length = 0;
});

/** A job of one step that runs a script. */
function script(command: string, name = "only"): unknown {
  return { name, steps: [{ name, image, command }] };
}

/** Opens a job, and waits until the page shows it in a state. */
async function openJob(id: string, state: string): Promise<void> {
  page = await scenario.open(`#/jobs/${id}`);
  await page.locator(".title-row .state", { hasText: state }).waitFor();
}

test("a job is written, submitted and followed to its end", async () => {
  page = await scenario.open("#/new");
  const job = {
    name: "two steps",
    steps: [
      { name: "write", image, command: "echo from write; echo oops >&2" },
      { name: "read", image, command: "echo from read; sleep 1; echo late" },
    ],
  };
  await page.getByLabel("Job", { exact: true }).fill(JSON.stringify(job));
  await page.keyboard.press("Control+Enter");
  await page.getByRole("heading", { name: "two steps" }).waitFor();
  const log = page.getByRole("region", { name: /^Log of/ });
  await log.getByText("from read").waitFor();
  await page.locator(".title-row .state", { hasText: "Succeeded" }).waitFor();
  await log.getByText("late").waitFor();
  expect(
    await page.getByRole("region", { name: "Graph of steps" }).ariaSnapshot(),
  ).toMatch(
    /list:\n\s+- listitem:\n\s+- link \/?"?write.*Succeeded.*\n(.|\n)*link .*read.*Succeeded.*after write/,
  );
  await page
    .getByRole("link", { name: /^write/ })
    .first()
    .click();
  await log.getByText("from write").waitFor();
  const wrong = log.locator(".log-line", { hasText: "oops" });
  expect(await wrong.textContent()).toBe("erroops");
  expect(scenario.complaints).toEqual([]);
});

test("the page has landmarks, names and headers for screen readers", async () => {
  const id = await scenario.submit(script("echo hello"));
  await openJob(id, "Succeeded");
  const body = await page.locator("body").ariaSnapshot();
  for (const part of [
    "- banner:",
    '- navigation "Main":',
    "- main:",
    '- navigation "Breadcrumb":',
    '- heading "only" [level=1]',
    '- link "Run again"',
    '- button "Delete…"',
    '- heading "Steps" [level=2]',
    '- region "Graph of steps":',
    '- heading "only Succeeded" [level=3]',
    '- region "Log":',
    '- region "Log of only":',
    '- table "How long each step waited in the queue, fetched its inputs, ran and uploaded its outputs":',
    "- status",
  ]) {
    expect(body).toContain(part);
  }
  const headers = await page.getByRole("columnheader").allInnerTexts();
  expect(headers.map((text) => text.trim())).toEqual([
    "Step",
    expect.stringMatching(/^From start to \d/),
    ...["Queue", "Inputs", "Run", "Outputs"],
  ]);
  await page.getByRole("link", { name: "berth" }).click();
  await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
  const table = page.getByRole("table", { name: "Jobs, the newest first" });
  await table.waitFor(); // it comes with the first answer
  expect(await table.getByRole("columnheader").allInnerTexts()).toEqual([
    ...["State", "Job", "Steps", "Submitted", "Duration"],
  ]);
  expect(await page.getByRole("search").ariaSnapshot()).toContain(
    'combobox "State"',
  );
  expect(scenario.complaints).toEqual([]);
});

test("the keyboard alone leads everywhere", async () => {
  page = await scenario.open("#/jobs");
  await page.getByRole("table").waitFor();
  const focused = () => page.locator(":focus").textContent();
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to content");
  await page.keyboard.press("Enter");
  expect(await page.locator("main:focus").count()).toBe(1);
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("New job");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "New job" }).waitFor();
  expect(await focused()).toBe("New job");
  await page.getByLabel("Job", { exact: true }).focus();
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Submit job");
});

test("a mistake is told at the field where it was made", async () => {
  page = await scenario.open("#/new");
  const field = page.getByLabel("Job", { exact: true });
  await field.fill("steps:\n  - image: 5\n    nmae: x\n");
  await page.getByRole("button", { name: "Submit job" }).click();
  await page.getByRole("alert").waitFor();
  expect(await page.getByRole("alert").textContent()).toMatch(
    /steps\.0\.image must be a text.*steps\.0\.nmae there is no such field/,
  );
  expect(await field.getAttribute("aria-invalid")).toBe("true");
  expect(await page.locator("textarea:focus").count()).toBe(1);
});

test("a failure is told in plain words, and retried from its step", async () => {
  const flag = `${scenario.jobs.folder}/may-pass`;
  const id = await scenario.submit({
    name: "fails first",
    steps: [
      { name: "first", image, command: "echo first" },
      { name: "second", image, command: `test -e ${flag} || exit 127` },
      { name: "third", image, command: "echo third" },
    ],
  });
  await openJob(id, "Failed");
  const why = page.getByRole("region", { name: "Why the job failed" });
  expect(await why.textContent()).toMatch(
    /Step second failed\. .* exit code 127\. .*not found in the image\.1 step was not begun because of that\./,
  );
  await writeFile(flag, "");
  await page.getByRole("button", { name: "Retry from failed step" }).click();
  await page.locator(".title-row .state", { hasText: "Succeeded" }).waitFor();
  expect(await page.locator(".facts").first().textContent()).toMatch(/Run2/);
  expect(await why.count()).toBe(0);
  const timing = page.getByRole("row", { name: /^first/ });
  expect(await timing.textContent()).toContain("ran in an earlier run");
  await page.getByText("Earlier runs").click();
  expect(await page.locator(".past-runs li").textContent()).toMatch(
    /^Failed.*exit code 127/,
  );
});

test("a job that has ended is run again, as it was or otherwise", async () => {
  const id = await scenario.submit(script("echo first time", "again"));
  await openJob(id, "Succeeded");
  await page.getByRole("link", { name: "Run again" }).click();
  await page.getByRole("heading", { name: "Run again" }).waitFor();
  const field = page.getByLabel("Job", { exact: true });
  await page.waitForFunction(
    "document.querySelector('textarea').value.includes('first time')",
  );
  const text = await field.inputValue();
  expect(JSON.parse(text)).toEqual({
    name: "again",
    steps: [{ name: "again", image, command: "echo first time", needs: [] }],
  });
  await field.fill(text.replace("first time", "second time"));
  await page.getByRole("button", { name: "Submit job" }).click();
  await page.getByText("second time", { exact: true }).waitFor();
  expect(page.url()).not.toContain(id);
});

test("a job is cancelled when one is sure", async () => {
  const id = await scenario.submit(script("echo begun; sleep 60"));
  await openJob(id, "Running");
  await page.getByText("begun", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Cancel job…" }).click();
  const dialog = page.getByRole("dialog", { name: "Cancel only?" });
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Cancel job…" }).click();
  await dialog.getByRole("button", { name: "Cancel job" }).click();
  await page.locator(".title-row .state", { hasText: "Cancelled" }).waitFor();
  expect(await page.getByRole("status").last().textContent()).toContain(
    "Cancelled",
  );
});

test("what programs write is text, whatever it says", async () => {
  const evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
  const id = await scenario.submit(
    script(`printf '\\033[31m%s\\033[0m\\n' '${evil}'`),
  );
  await openJob(id, "Succeeded");
  await page.locator(".log-text", { hasText: "<img" }).waitFor();
  expect(await page.locator(".log-text").first().textContent()).toBe(evil);
  expect(await page.locator("main img, main script").count()).toBe(0);
  expect(scenario.complaints).toEqual([]);
});

test("of a huge log the end is shown, and the whole can be saved", async () => {
  const id = await scenario.submit(script("seq 1 200000; sleep 5", "count"));
  await openJob(id, "Running");
  await page.locator(".log-text", { hasText: "200000" }).waitFor();
  const shown = await page.locator(".log-line").count();
  expect(shown).toBeGreaterThan(1_000);
  expect(shown).toBeLessThanOrEqual(5_000);
  await page.getByText(/^\d+ earlier lines are not shown\.$/).waitFor();
  await page.locator(".title-row .state", { hasText: "Succeeded" }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Whole stdout" }).click(),
  ]);
  const text = await readFile(await download.path(), "utf8");
  expect(text.split("\n")).toHaveLength(200_001);
});

test("outputs are looked through and saved", async () => {
  // The engine runs the step on this machine, so it puts them into CAS itself.
  const command =
    "mkdir -p outputs/1/docs; echo one > outputs/0; echo two > outputs/1/docs/b";
  const outputs = [
    { name: "report", path: "/report" },
    { name: "site", path: "/site/" },
  ];
  const id = await scenario.submit({
    steps: [{ name: "make", image, command, outputs }],
  });
  await openJob(id, "Succeeded");
  const table = page.getByRole("table", { name: "Outputs" });
  const save = async (name: string) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      table.getByRole("link", { name }).click(),
    ]);
    return readFile(await download.path(), "utf8");
  };
  expect(await save("Download report")).toBe("one\n");
  await table.getByText("Files in site").click();
  await table.getByText("docs/").click();
  expect(await save("b")).toBe("two\n");
});
