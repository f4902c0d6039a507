import { expect, test } from "@jest/globals";
import { splitMistakes } from "./split-mistakes.js";

test("splitMistakes() gives each mistake with its place", () => {
  expect(
    splitMistakes(
      'steps.0.image: must be a text; steps.1.inputs.0.path: must begin with "/"; and 3 more',
    ),
  ).toEqual([
    { place: "steps.0.image", text: "must be a text" },
    { place: "steps.1.inputs.0.path", text: 'must begin with "/"' },
    { place: "", text: "and 3 more" },
  ]);
});

test("splitMistakes() leaves other texts whole", () => {
  const text = 'Step "b" needs "x": no step has it; perhaps another does';
  expect(splitMistakes(text)).toEqual([{ place: "", text }]);
  expect(splitMistakes("The service cannot be reached")).toEqual([
    { place: "", text: "The service cannot be reached" },
  ]);
});
