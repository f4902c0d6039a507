import { Code, StatusError } from "../status/index.js";
import type { InstanceName } from "./instance-name.js";

/**
 * Values by the prefix of instance names. The longest prefix counts, in whole
 * components: "a" holds for "a/b", not for "ab"; the empty one for all.
 */
export class InstanceTable<Value extends { readonly prefix: InstanceName }> {
  readonly #byLength: readonly Value[];

  /** Throws InvalidArgument for two values of one prefix. */
  constructor(values: readonly Value[]) {
    const prefixes = values.map(({ prefix }) => prefix);
    const twice = prefixes.find((prefix, at) => prefixes.indexOf(prefix) < at);
    if (twice !== undefined) {
      throw new StatusError(
        Code.InvalidArgument,
        `Instance prefix must be unique: current value is "${twice}"`,
      );
    }
    this.#byLength = [...values].sort(
      (a, b) => b.prefix.length - a.prefix.length,
    );
  }

  /** The value of a name; undefined where no prefix holds for it. */
  find(instanceName: InstanceName): Value | undefined {
    return this.#byLength.find(
      ({ prefix }) =>
        prefix === "" ||
        instanceName === prefix ||
        instanceName.startsWith(`${prefix}/`),
    );
  }
}
