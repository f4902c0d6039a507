import { expect, test } from "@jest/globals";
import { explainReason } from "./explain-reason.js";

test.each([
  [1, "Its log should say why."],
  [
    126,
    "By custom this means that the program was found, but could not be run.",
  ],
  [127, "By custom this means that the program was not found in the image."],
  [
    137,
    "By custom this means that the program was killed (SIGKILL), perhaps for want of memory.",
  ],
  [255, "Its log should say why."],
])("explainReason() says what exit code %d means", (exitCode, meaning) => {
  const text = `The program ended with exit code ${exitCode}`;
  const reason = { code: "EXIT_CODE", text };
  expect(explainReason(reason, exitCode)).toEqual([`${text}.`, meaning]);
});

test("explainReason() says what the service says, and what to do", () => {
  const text = 'Failed to pull "x": connection refused';
  expect(explainReason({ code: "UNAVAILABLE", text })).toEqual([
    `${text}.`,
    "Something that the step needs could not be reached. It may work when it is tried again.",
  ]);
});

test("explainReason() adds nothing to a code that it does not know", () => {
  expect(explainReason({ code: "NEW", text: "Ended." })).toEqual(["Ended."]);
  expect(explainReason({ code: "EXIT_CODE", text: "Ended" })).toEqual([
    "Ended.",
  ]);
});
