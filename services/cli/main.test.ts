// The help of all commands, as users see it.
import { expect, test } from "@jest/globals";
import { runProgram } from "../../test/fixtures/berth.js";
import { projectFolder } from "../../test/fixtures/project-folder.js";

const berth = (...args: string[]) =>
  runProgram(`${projectFolder}/bin/berth`, args);

test.each([["up"], ["run"], ["job"], ["image"], ["doctor"]])(
  "berth %s --help is a screen of 80 columns",
  async (command) => {
    const shown = await berth(command, "--help");
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    expect(shown.stdout).toMatch(`usage: berth ${command} `);
    const long = shown.stdout.split("\n").filter((line) => line.length > 80);
    expect(long).toEqual([]);
    expect(await berth("help", command)).toEqual(shown);
  },
);

test("berth help --help shows the commands", async () => {
  const overview = await berth();
  expect(overview.stdout).toContain("usage: berth COMMAND");
  expect(await berth("help", "--help")).toEqual(overview);
});
