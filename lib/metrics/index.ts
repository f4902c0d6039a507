export { type Diagnostics, serveDiagnostics } from "./http-diagnostics.js";
export { addGauge, createMetrics, durationBuckets } from "./metrics.js";
