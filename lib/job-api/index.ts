export { type JobMessage, jobMessageSchema } from "./job-message.js";
export {
  type JobSubmission,
  jobSubmissionSchema,
  type StepSubmission,
  stepSubmissionSchema,
} from "./job-submission.js";
export {
  type ErrorView,
  errorViewSchema,
  type JobList,
  type JobStateName,
  type JobSummary,
  type JobView,
  jobListSchema,
  jobStateSchema,
  jobSummarySchema,
  jobViewSchema,
  outputViewSchema,
  reasonSchema,
  type StepStateName,
  type StepView,
  stepStateSchema,
  stepViewSchema,
} from "./job-view.js";
export { type OutputListing, outputListingSchema } from "./output-listing.js";
