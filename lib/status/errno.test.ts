import { describe, expect, test } from "@jest/globals";
import { Code, StatusError, wrap } from "../status/index.js";
import { errno, innerErrno, isDiskFull } from "./errno.js";

const full = Object.assign(new Error("no space"), { code: "ENOSPC" });

describe("errno()", () => {
  test("errno() names errors of Node, and no others", () => {
    expect(errno(full)).toBe("ENOSPC");
    expect(errno(new StatusError(Code.NotFound, "gone"))).toBeUndefined();
    expect(errno("ENOSPC")).toBeUndefined();
  });
});

describe("innerErrno()", () => {
  test("innerErrno() looks through what was wrapped around", () => {
    expect(innerErrno(wrap(wrap(full, "a"), "b"))).toBe("ENOSPC");
    expect(innerErrno(new Error("other"))).toBeUndefined();
  });
});

describe("isDiskFull()", () => {
  test("isDiskFull() tells a full disk or quota from limits of ours", () => {
    expect(isDiskFull(wrap(full, "Failed to write"))).toBe(true);
    expect(isDiskFull({ code: "EDQUOT" })).toBe(true);
    const limit = new StatusError(Code.ResourceExhausted, "Too many entries");
    expect(isDiskFull(limit)).toBe(false);
    expect(isDiskFull(undefined)).toBe(false);
  });
});
