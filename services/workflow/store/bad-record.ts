import { Code, StatusError } from "../../../lib/status/index.js";

/** What the sink is told of a record that was set aside. */
export function badRecord(id: string, reason: string): StatusError {
  return new StatusError(
    Code.DataLoss,
    `Job "${id}" was set aside, since its record cannot be read: ${reason}`,
  );
}
