export { type Diagnostics, serveDiagnostics } from "./http-diagnostics.js";
export { createMetrics, durationBuckets } from "./metrics.js";
