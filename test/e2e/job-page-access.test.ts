// The web page for jobs, in a real browser: who may see it, what it does when
// the service is away, and how it looks where there is little room or light.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { contrasts } from "../fixtures/contrasts.js";
import { image, JobPageScenario } from "../fixtures/job-page.js";

let scenario: JobPageScenario;
const token = "correct-horse-battery";
const digest = createHash("sha256").update(token).digest("hex");

beforeAll(async () => {
  scenario = await JobPageScenario.start();
}, 120_000);
afterAll(() => scenario.stop());

function script(command: string, name = "only"): unknown {
  return { name, steps: [{ name, image, command }] };
}

test("jobs are found by state and name, page by page", async () => {
  for (let n = 0; n < 30; n++) {
    await scenario.submit(script("true", `job-${n % 3}`));
  }
  await scenario.submit(script("exit 3", "wrong"));
  const page = await scenario.open("#/jobs");
  const rows = page.getByRole("table").locator("tbody tr");
  await page.getByText("wrong").waitFor();
  expect(await rows.count()).toBe(25);
  await page.getByRole("button", { name: "Older" }).click();
  await page.getByText("Page 2").waitFor();
  await rows.nth(5).waitFor();
  await page.getByLabel("State").selectOption("failed");
  await page.getByRole("link", { name: "wrong" }).waitFor();
  await rows.nth(1).waitFor({ state: "detached" });
  expect(await rows.textContent()).toMatch(/^Failedwrong/);
  await page.getByLabel("State").selectOption("");
  await page.getByLabel("Exact name").fill("job-1");
  await page.keyboard.press("Enter");
  await rows.nth(10).waitFor({ state: "detached" });
  expect(await rows.count()).toBe(10);
  await page.getByLabel("Exact name").fill("none of them");
  await page.keyboard.press("Enter");
  await page.getByText("No job is like that.").waitFor();
  expect(scenario.complaints).toEqual([]);
});

test("a page that has lost the service says so, and goes on", async () => {
  const id = await scenario.submit(
    script("echo before; sleep 4; echo after", "patient"),
  );
  const page = await scenario.open(`#/jobs/${id}`);
  await page.getByText("before", { exact: true }).waitFor();
  await scenario.restartServer(async () => {
    await page
      .getByRole("status")
      .filter({ hasText: "The connection to the service is lost" })
      .waitFor();
  });
  await page.locator(".title-row .state", { hasText: "Succeeded" }).waitFor();
  const lines = await page.locator(".log-text").allInnerTexts();
  expect(lines).toEqual(["before", "after"]);
});

test.each(["light", "dark"] as const)(
  "in %s, text stands out",
  async (mode) => {
    const id = await scenario.submit(script("echo seen; exit 1", "contrast"));
    const page = await scenario.open(`#/jobs/${id}`, { colorScheme: mode });
    await page.getByRole("region", { name: "Why the job failed" }).waitFor();
    for (const selector of [
      "h1",
      ".facts dt",
      ".title-row .state-failed",
      ".notice-failure p",
      ".node-name",
      ".node-details span",
      ".log-text",
      "thead th",
      ".button-danger",
    ]) {
      const found = await page.evaluate<number[]>(
        `(${contrasts})([...document.querySelectorAll("${selector}")])`,
      );
      expect([selector, found.length > 0]).toEqual([selector, true]);
      expect([selector, found.filter((each) => each < 4.5)]).toEqual([
        selector,
        [],
      ]);
    }
  },
);

test("nothing is cut off where there is little room", async () => {
  const long = "Donaudampfschifffahrtsgesellschaftskapitaensmuetze";
  const steps = ["eins", long, "drei"].map((name) => ({
    name,
    image,
    command: `echo ${long.repeat(4)}`,
  }));
  const id = await scenario.submit({ name: long.repeat(3), steps });
  const page = await scenario.open(`#/jobs/${id}`, {
    viewport: { width: 320, height: 640 },
  });
  await page.locator(".title-row .state", { hasText: "Succeeded" }).waitFor();
  await page.locator(".log-text").first().waitFor();
  const isTooWide = "document.documentElement.scrollWidth > innerWidth";
  expect(await page.evaluate(isTooWide)).toBe(false);
  await page.getByRole("link", { name: "Jobs" }).first().click();
  await page.getByRole("table").waitFor();
  expect(await page.evaluate(isTooWide)).toBe(false);
  // What is laid out otherwise is a table all the same.
  expect(await page.getByRole("columnheader").count()).toBe(5);
});

test("who is asked for less motion sees none", async () => {
  const id = await scenario.submit(script("sleep 3", "still"));
  const page = await scenario.open(`#/jobs/${id}`, { reducedMotion: "reduce" });
  await page.locator(".node .turning").first().waitFor();
  const animation = await page.evaluate(
    'getComputedStyle(document.querySelector(".node .turning")).animationName',
  );
  expect(animation).toBe("none");
});

test("a service with tenants asks for a token, and the tab keeps it", async () => {
  const guarded = await JobPageScenario.start({
    tenants: [{ name: "one", tokens: [digest] }],
  });
  try {
    const page = await guarded.open("#/jobs");
    await page.getByRole("heading", { name: "Token needed" }).waitFor();
    await page.getByLabel("Token").fill("wrong-horse-battery");
    await page.keyboard.press("Enter");
    await page.getByText("The service does not know this token.").waitFor();
    await page.getByLabel("Token").fill(token);
    await page.keyboard.press("Enter");
    await page.getByText("There are no jobs yet.").waitFor();
    await page.reload();
    await page.getByText("There are no jobs yet.").waitFor();
    await page.getByRole("link", { name: "Write the first one" }).click();
    await page
      .getByLabel("Job", { exact: true })
      .fill(JSON.stringify(script("echo mine; sleep 1")));
    await page.getByRole("button", { name: "Submit job" }).click();
    await page.getByText("mine", { exact: true }).waitFor();
    await page.locator(".title-row .state", { hasText: "Succeeded" }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Whole stdout" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("only.stdout.txt");
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByRole("heading", { name: "Token needed" }).waitFor();
    expect(guarded.complaints).toEqual([]);
  } finally {
    await guarded.stop();
  }
});
