import { expect, test } from "@jest/globals";
import { jobSubmissionSchema } from "../../../../lib/job-api/index.js";
import { tidySubmission } from "./tidy-submission.js";

const written = {
  name: "a",
  cache: true,
  steps: [
    { name: "one", image: "x", needs: [], command: [], cache: false },
    { name: "two", image: "x", needs: ["one"], environment: { A: "" } },
  ],
};

test("tidySubmission() gives what was written back, and nothing else", () => {
  expect(tidySubmission(jobSubmissionSchema.parse(written))).toEqual(written);
});

test("tidySubmission() gives what means the same", () => {
  const submission = jobSubmissionSchema.parse(written);
  const again = jobSubmissionSchema.parse(tidySubmission(submission));
  expect(again).toEqual(submission);
});
