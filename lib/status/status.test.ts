import { describe, expect, test } from "@jest/globals";
import {
  Code,
  codeName,
  isCacheable,
  isInfrastructureError,
  isRetryable,
  joinErrors,
  StatusError,
  toStatusError,
  tryParseCodeName,
  wrap,
} from "./index.js";

describe("codeName()", () => {
  test("codeName() and tryParseCodeName() are each other's inverse", () => {
    for (const code of Object.values(Code)) {
      expect(tryParseCodeName(codeName(code))).toBe(code);
    }
    expect(codeName(Code.FailedPrecondition)).toBe("FAILED_PRECONDITION");
    expect(tryParseCodeName("NO_SUCH")).toBeUndefined();
  });
});

describe("toStatusError()", () => {
  test.each([
    ["ENOSPC", Code.ResourceExhausted],
    ["ECONNREFUSED", Code.Unavailable],
    ["EACCES", Code.PermissionDenied],
    ["EWEIRD", Code.Internal],
  ])("toStatusError() maps %s to its code", (errno, code) => {
    const thrown = Object.assign(new Error("it broke"), { code: errno });
    expect(toStatusError(thrown)).toMatchObject({ code, message: "it broke" });
  });

  test("toStatusError() keeps code and text of a grpc-js error", () => {
    const thrown = Object.assign(new Error("5 NOT_FOUND: no such blob"), {
      code: 5,
      details: "no such blob",
    });
    expect(toStatusError(thrown)).toMatchObject({
      code: Code.NotFound,
      message: "no such blob",
    });
  });

  test("toStatusError() turns aborts into Cancelled and timeouts into DeadlineExceeded", () => {
    expect(toStatusError(AbortSignal.abort().reason).code).toBe(Code.Cancelled);
    const timeout = new DOMException("late", "TimeoutError");
    expect(toStatusError(timeout).code).toBe(Code.DeadlineExceeded);
  });

  test("toStatusError() makes an error of what is none", () => {
    expect(toStatusError("text")).toMatchObject({
      code: Code.Internal,
      message: "text",
    });
  });
});

describe("wrap()", () => {
  test("wrap() prefixes the text, keeps code, details and cause", () => {
    const detail = { typeUrl: "t", value: new Uint8Array([1]) };
    const inner = new StatusError(Code.NotFound, "gone", { details: [detail] });
    const outer = wrap(inner, 'Failed to read "x"');
    expect(outer).toMatchObject({
      code: Code.NotFound,
      message: 'Failed to read "x": gone',
      cause: inner,
      details: [detail],
    });
    expect(wrap(inner, "Failed", Code.Internal).code).toBe(Code.Internal);
  });
});

describe("joinErrors()", () => {
  test("joinErrors() takes the first code and each text once", () => {
    const joined = joinErrors([
      new StatusError(Code.Unavailable, "a"),
      new StatusError(Code.NotFound, "b"),
      new StatusError(Code.NotFound, "a"),
    ]);
    expect(joined).toMatchObject({ code: Code.Unavailable, message: "a, b" });
    expect(() => joinErrors([])).toThrow(RangeError);
  });
});

test("isRetryable(), isCacheable() and isInfrastructureError() never overlap wrongly", () => {
  for (const code of Object.values(Code)) {
    expect(isCacheable(code) && isRetryable(code)).toBe(false);
    expect(isCacheable(code) && isInfrastructureError(code)).toBe(false);
  }
  expect(isInfrastructureError(Code.DataLoss)).toBe(true);
});
