export { parseConfiguration, readConfiguration } from "./read-configuration.js";
export { type SchemaMistake, schemaMistakes } from "./schema-mistakes.js";
export { durationMs, sizeBytes } from "./units.js";
