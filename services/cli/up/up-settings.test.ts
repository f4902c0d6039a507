import { expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import { parseUpSettings } from "./up-settings.js";

test.each([
  [["--listen", "foo"], '--listen must be an address such as "127.0.0.1:8980"'],
  [["--listen", ":8000"], "--listen must be an address"],
  [["--listen", "127.0.0.1:0"], "--listen must be an address"],
  [["--listen", "127.0.0.1:99999"], "--listen must be an address"],
  [
    ["--jobs-listen", "unix:/x"],
    '--jobs-listen must be an address such as "127.0.0.1:3000", or "off"',
  ],
  [["--jobs-listen", "3000"], "--jobs-listen must be an address"],
  [["--cache-size", "x"], '--cache-size must be a size such as "10GiB"'],
  [["--roots-size", "0"], '--roots-size must be a size such as "10GiB"'],
  [["--jobs", "0"], "--jobs must be a number from 1 to 1024"],
  [["--jobs", "5000"], "--jobs must be a number from 1 to 1024"],
  [["--mode", "cas"], "--mode must be one of bind_mount, inline"],
  [["--mode", "inline", "--source", "registry"], "--source must be one of cas"],
  [["--tags", "x"], "--tags must be one of reject, resolve"],
  [["--state", ""], "--state must name a folder"],
  [["--", "x"], '"x" is no option'],
])("parseUpSettings() refuses %j by the flag's name", (args, text) => {
  expect(() => parseUpSettings(args, {})).toThrow(
    expect.objectContaining({
      code: Code.InvalidArgument,
      message: expect.stringContaining(text),
    }),
  );
});

test("parseUpSettings() serves jobs unless they are off", () => {
  const listen = (...args: string[]) => parseUpSettings(args, {}).jobsListen;
  expect(listen()).toBe("127.0.0.1:3000");
  expect(listen("--jobs-listen", "[::1]:80")).toBe("[::1]:80");
  expect(listen("--jobs-listen", "off")).toBeUndefined();
});

test("parseUpSettings() takes ports, sockets and sizes", () => {
  for (const listen of ["127.0.0.1:1", "[::1]:8980", "host:80", "unix:/a/b"]) {
    expect(parseUpSettings(["--listen", listen], {}).listen).toBe(listen);
  }
  expect(
    parseUpSettings(["--state", "/s", "--cache-size", "1.5GiB"], {}),
  ).toMatchObject({ state: "/s", cacheSize: "1.5GiB", jobs: undefined });
});
