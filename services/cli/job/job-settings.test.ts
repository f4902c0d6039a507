import { describe, expect, test } from "@jest/globals";
import { Code } from "../../../lib/status/index.js";
import {
  chooseServer,
  commonOptions,
  parseJobArguments,
  parseToken,
} from "./job-settings.js";

describe("chooseServer()", () => {
  test.each([
    [undefined, {}, "http://127.0.0.1:3000/"],
    [undefined, { BERTH_SERVER: "https://a.test/b" }, "https://a.test/b/"],
    [undefined, { BERTH_SERVER: "" }, "http://127.0.0.1:3000/"],
    ["http://c:1", { BERTH_SERVER: "https://a.test" }, "http://c:1/"],
  ])("chooseServer() takes %p before %j", (flag, env, url) => {
    expect(chooseServer(flag, env).href).toBe(url);
  });

  test.each([
    ["localhost:3000", {}, "--server must be an address such as"],
    ["ftp://x", {}, "--server must be an address such as"],
    ["http://", {}, "--server must be"],
    ["http://x?y", {}, "--server must be"],
    [undefined, { BERTH_SERVER: "x" }, "BERTH_SERVER must be"],
    ["http://user:secret@x", {}, "--server must hold no user and no password"],
  ])("chooseServer() refuses %p and %j", (flag, env, message) => {
    const error = expect.objectContaining({
      code: Code.InvalidArgument,
      message: expect.stringContaining(message),
    });
    expect(() => chooseServer(flag, env)).toThrow(error);
    expect(() => chooseServer(flag, env)).not.toThrow(/secret/);
  });
});

describe("parseToken()", () => {
  test("parseToken() takes the first line, and never quotes it", () => {
    expect(parseToken(" abc \nother\n", "x")).toBe("abc");
    for (const text of ["", "\nabc", "a b", "a\u0000"]) {
      expect(() => parseToken(text, '"f"')).toThrow(
        'The first line of "f" must be a token, of printable characters',
      );
    }
  });
});

describe("parseJobArguments()", () => {
  test("parseJobArguments() wants the operands that are named", () => {
    const parse = (args: string[], ...operands: string[]) =>
      parseJobArguments(args, commonOptions, operands).operands;
    expect(parse(["--json", "a"], "id")).toEqual(["a"]);
    expect(parse(["a", "b"], "id…")).toEqual(["a", "b"]);
    expect(() => parse([], "id…")).toThrow("No id given");
    expect(() => parse(["a", "b"], "id")).toThrow('"b" is one argument too');
  });
});
