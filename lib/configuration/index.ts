export { parseConfiguration, readConfiguration } from "./read-configuration.js";
export { durationMs, sizeBytes } from "./units.js";
