export { checkDigestFunction, Digest, emptyDigest } from "./digest.js";
export { type InstanceName, parseInstanceName } from "./instance-name.js";
export { InstanceTable } from "./instance-table.js";
