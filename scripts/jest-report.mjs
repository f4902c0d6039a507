// Reads what jest --json wrote.
//
//   jest-report.mjs slowest REPORT      the suites that took longest
//   jest-report.mjs failed REPORT       the suites that failed, a path a line
//   jest-report.mjs counts REPORT...    "passed failed"
//   jest-report.mjs failures REPORT...  the tests that failed, by their names
//
// Of a suite that is in several reports the last one counts.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const [what, ...paths] = process.argv.slice(2);
const suites = new Map();
for (const path of paths) {
  const { testResults } = JSON.parse(readFileSync(path, "utf8"));
  for (const suite of testResults) suites.set(suite.name, suite);
}
const all = [...suites.values()];
// One that could not even be loaded has no tests.
const broken = all.filter(
  ({ status, assertionResults }) =>
    status === "failed" && !assertionResults.some((r) => r.status === "failed"),
);

if (what === "slowest") {
  const seconds = ({ startTime, endTime }) => (endTime - startTime) / 1000;
  for (const suite of all.sort((a, b) => seconds(b) - seconds(a)).slice(0, 8)) {
    const name = relative(process.cwd(), suite.name);
    console.log(`   ${seconds(suite).toFixed(0).padStart(4)} s  ${name}`);
  }
} else if (what === "failed") {
  for (const { name, status } of all) if (status === "failed") console.log(name);
} else if (what === "counts") {
  const count = (status) =>
    all.flatMap(({ assertionResults }) => assertionResults)
      .filter((result) => result.status === status).length;
  console.log(count("passed"), count("failed") + broken.length);
} else if (what === "failures") {
  for (const { name, assertionResults } of all) {
    const suite = relative(process.cwd(), name);
    for (const { status, fullName } of assertionResults) {
      if (status === "failed") console.log(`${suite}: ${fullName}`);
    }
  }
  for (const { name } of broken) {
    console.log(`${relative(process.cwd(), name)}: could not be loaded`);
  }
} else {
  throw new Error(
    "usage: jest-report.mjs slowest|failed|counts|failures REPORT...",
  );
}
