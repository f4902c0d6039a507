import { Code, StatusError } from "../../status/index.js";
import type { Reading } from "../operation.js";
import type { PropertyTable } from "../property-table.js";
import { quote } from "../quote.js";

/**
 * Refuses what only the helper could do, of an action that runs on the worker
 * as it is: to leave it undone would be to lie.
 */
export function refuseStepProperties(options: {
  table: PropertyTable;
  /** The property that an error tells the client to set. */
  imageProperty: string;
}): Reading {
  return (routed) => {
    const found = routed.properties.find(({ name }) => {
      const { kind } = options.table(name);
      return kind === "step" || (kind === "user" && name.startsWith("berth-"));
    });
    if (found === undefined) return routed;
    throw new StatusError(
      Code.InvalidArgument,
      `Platform property ${quote(found.name)} must not be set for an action that runs on the worker as it is: name an image in platform property "${options.imageProperty}"`,
    );
  };
}
