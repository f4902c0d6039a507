import type { Platform_Property } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Code, StatusError } from "../../status/index.js";
import type { Reading } from "../operation.js";
import type { PropertyTable } from "../property-table.js";
import { invalidProperty } from "../property-value.js";
import { quote } from "../quote.js";
import type { Network } from "../routed-action.js";
import type { CheckSecret } from "../secret-policy.js";
import type { StepWish } from "../step-wish.js";

/** A property and what it asks for. */
interface Wish<T> {
  readonly property: Platform_Property;
  readonly value: T;
}

/**
 * Takes off every property that means something to us, remembers what it asks
 * for, and refuses those that cannot be granted. What the table does not know
 * stays on the platform.
 */
export function applyPropertyTable(options: {
  table: PropertyTable;
  /** Networks that actions may ask for. */
  networks: readonly Network[];
  checkSecret: CheckSecret;
}): Reading {
  return (routed) => {
    const networks: Wish<Network>[] = [];
    const users: Wish<string>[] = [];
    const steps: Wish<StepWish>[] = [];
    const properties: Platform_Property[] = [];
    for (const property of routed.properties) {
      const { name, value } = property;
      const rule = options.table(name);
      switch (rule.kind) {
        case "pass":
          properties.push(property);
          break;
        case "drop":
          break;
        case "network":
          addWish(networks, property, rule.read(name, value));
          break;
        case "user":
          addWish(users, property, rule.read(name, value));
          break;
        case "step":
          addWish(steps, property, rule.read(name, value));
          break;
        case "refuse":
          if (!rule.isHarmless(name, value)) throw refused(name, rule.reason);
      }
    }
    const network = agreed(withoutOverruled(networks));
    const user = agreed(users);
    if (network !== undefined && !options.networks.includes(network.value)) {
      const { name, value } = network.property;
      throw invalidProperty(
        name,
        value,
        `ask for a network that instance name "${routed.instanceName}" offers (${options.networks.join(", ")})`,
      );
    }
    for (const flag of ["workdir", "stdin"]) {
      agreed(
        steps.filter(({ value }) => value.flag === flag),
        ({ value }) => value.value,
      );
    }
    for (const { value } of steps) {
      if (value.flag !== "secret") continue;
      options.checkSecret(value.secret, routed.instanceName);
    }
    return {
      ...routed,
      properties,
      step: steps.map(({ value }) => value),
      network: network?.value,
      user: user?.value,
    };
  };
}

function addWish<T>(
  wishes: Wish<T>[],
  property: Platform_Property,
  value: T | undefined,
): void {
  if (value !== undefined) wishes.push({ property, value });
}

// Its value is not repeated: it may be the secret.
function refused(name: string, reason: string): StatusError {
  return new StatusError(
    Code.InvalidArgument,
    `Platform property ${quote(name)} must not be set: ${reason}`,
  );
}

/** `requires-external` is the stronger word than `requires-network=false`. */
function withoutOverruled(
  wishes: readonly Wish<Network>[],
): readonly Wish<Network>[] {
  const isNamed = (name: string) => (wish: Wish<Network>) =>
    wish.property.name === name;
  if (!wishes.some(isNamed("requires-external"))) return wishes;
  return wishes.filter((wish) => !isNamed("requires-network")(wish));
}

/** The wish that all of them are; InvalidArgument if they contradict. */
function agreed<T>(
  wishes: readonly Wish<T>[],
  textOf: (wish: Wish<T>) => unknown = ({ value }) => value,
): Wish<T> | undefined {
  const [first] = wishes;
  if (first === undefined) return undefined;
  const other = wishes.find((wish) => textOf(wish) !== textOf(first));
  if (other === undefined) return first;
  throw new StatusError(
    Code.InvalidArgument,
    `Platform properties ${quote(first.property.name)} and ${quote(other.property.name)} must not contradict each other: current values are ${quote(first.property.value)} and ${quote(other.property.value)}`,
  );
}
