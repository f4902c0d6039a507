import type { ImageReferenceOptions, Platform } from "../image/index.js";
import { Code, StatusError } from "../status/index.js";
import type { ImageDelivery } from "./image-delivery.js";
import type { CheckImage } from "./operations/check-image-policy.js";
import type { NoImagePolicy } from "./operations/decide-place-without-image.js";
import type { TagPolicy } from "./operations/resolve-image.js";
import type { HelperSettings } from "./operations/wrap-arguments.js";
import type { PropertyOverride } from "./property-table.js";
import type { Network } from "./routed-action.js";

/** How actions of an instance name are routed. */
export interface RouteSettings {
  /** Properties that name the image; errors tell of the first. */
  readonly imageProperties: readonly string[];
  /** What else than an image of a registry may be named. */
  readonly imageKinds: Pick<ImageReferenceOptions, "allowLayouts" | "allowCas">;
  readonly delivery: ImageDelivery;
  readonly checkImage: CheckImage;
  readonly tags: TagPolicy;
  /** Where the action does not say. */
  readonly defaultPlatform: Platform;
  readonly noImage: NoImagePolicy;
  readonly helper: HelperSettings;
  /** Networks that actions may ask for. */
  readonly networks: readonly Network[];
  /** Patterns of the secrets that actions may name. */
  readonly secrets: readonly string[];
  /** The operator's own words on single properties. */
  readonly properties: ReadonlyMap<string, PropertyOverride>;
}

/** Throws InvalidArgument for settings that no action could be routed by. */
export function checkRouteSettings(settings: RouteSettings): void {
  const { imageProperties, helper, networks } = settings;
  check(
    imageProperties.length > 0 && !imageProperties.includes(""),
    "Image properties must be one name or more",
    imageProperties.join(", "),
  );
  check(
    helper.command[0]?.startsWith("/") === true,
    "Helper must be an absolute path and its first arguments",
    helper.command.join(" "),
  );
  check(
    !helper.command.includes("--") &&
      !helper.command.some((argument) => argument.includes("\0")),
    'Helper must not hold "--" or NUL, which the router adds itself',
    helper.command.join(" "),
  );
  check(
    helper.defaultNetwork === "worker" ||
      networks.includes(helper.defaultNetwork),
    `Default network must be one of those that are offered (${networks.join(", ")})`,
    helper.defaultNetwork,
  );
  for (const name of settings.properties.keys()) {
    check(
      !imageProperties.includes(name),
      "Property with a rule of its own must not name the image as well",
      name,
    );
  }
}

function check(isRight: boolean, rule: string, current: string): void {
  if (isRight) return;
  throw new StatusError(
    Code.InvalidArgument,
    `${rule}: current value is ${JSON.stringify(current)}`,
  );
}
