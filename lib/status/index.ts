export { isCacheable, isInfrastructureError, isRetryable } from "./classify.js";
export { Code, codeFromNumber, codeName, tryParseCodeName } from "./code.js";
export { errno, innerErrno, isDiskFull } from "./errno.js";
export { type StatusDetail, StatusError } from "./status-error.js";
export { toStatusError } from "./to-status-error.js";
export { joinErrors, wrap } from "./wrap.js";
