// Proves that the demo does what the README says: a real Bazel builds in a real
// image, and builds again from the cache alone, as does a job.
import { expect, test } from "@jest/globals";
import { runProgram } from "../fixtures/berth.js";
import { projectFolder } from "../fixtures/project-folder.js";

test("make demo shows the image's system, and a build of cache hits", async () => {
  const { status, stdout, stderr } = await runProgram(
    `${projectFolder}/scripts/demo.sh`,
    [],
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.anything() });
  expect(stdout).toContain("in the image:  os: Debian GNU/Linux 13 (trixie)");
  expect(stdout).toMatch(/in the image: {2}gcc: 14\./);
  expect(stdout).toContain("in the image:  image env: from-the-image");
  const [first = "", second = ""] = stdout.split("Once more");
  expect(first).toMatch(/\d+ remote\./);
  expect(first).toMatch(/\/\/:hello_test .*PASSED/);
  expect(second).toMatch(/\d+ remote cache hit, \d+ internal\./);
  expect(second).toMatch(/\/\/:hello_test .*\(cached\) PASSED/);
  expect(second).toContain("  count     |       3 THE\n");
  const jobs = second.split(/The same job again|With another last step/);
  expect(jobs[1]?.match(/succeeded \(cached\)/g)).toHaveLength(3);
  expect(jobs[2]?.match(/succeeded \(cached\)/g)).toHaveLength(2);
  expect(second).toMatch(/the page with them: http:\/\/127\.0\.0\.1:\d+\//);
  expect(second).toContain("Debian GNU/Linux 13 (trixie), in /bazel_exec_root");
  expect(second).toContain("  M /etc/motd  ");
  expect(second).toContain("  0 added, 0 deleted, 1 modified, ");
}, 600_000);

test("berth doctor finds nothing missing on this machine", async () => {
  const { status, stdout } = await runProgram(`${projectFolder}/bin/berth`, [
    "doctor",
  ]);
  expect(stdout).toContain("Actions can run here.");
  expect(stdout).not.toMatch(/^fail/m);
  expect(status).toBe(0);
});

test("berth says what it is asked wrongly", async () => {
  const ask = (...args: string[]) =>
    runProgram(`${projectFolder}/bin/berth`, args);
  expect(await ask("upp")).toEqual({
    status: 1,
    stdout: "",
    stderr:
      'berth: There is no command "upp": see "berth help" (INVALID_ARGUMENT)\n',
  });
  expect(await ask("run", "debian")).toEqual({
    status: 125,
    stdout: "",
    stderr:
      'berth: No command given after "--": see "berth help run" (INVALID_ARGUMENT)\n',
  });
  expect((await ask("help", "up")).stdout).toMatch(/^usage: berth up/);
  expect((await ask("up", "--tags", "maybe")).stderr).toContain(
    '--tags must be one of reject, resolve: current value is "maybe"',
  );
});
