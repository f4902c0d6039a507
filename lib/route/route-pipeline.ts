import {
  type Action,
  Command,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import { Digest } from "../digest/index.js";
import { encodeMessage } from "../grpc/index.js";
import type { ImageResolver } from "../registry/index.js";
import type { EncodedBlob } from "./blob-writer.js";
import type { CommandReader } from "./command-reader.js";
import { openAction } from "./open-action.js";
import type { Operation } from "./operation.js";
import { addCollectedOutputs } from "./operations/add-collected-outputs.js";
import { applyPropertyTable } from "./operations/apply-property-table.js";
import { checkImagePolicy } from "./operations/check-image-policy.js";
import { decidePlaceWithoutImage } from "./operations/decide-place-without-image.js";
import { deliverImage } from "./operations/deliver-image.js";
import { loadCommand } from "./operations/load-command.js";
import { mergeImageEnvironment } from "./operations/merge-image-environment.js";
import {
  nestInputRoot,
  nestWorkingDirectory,
} from "./operations/nest-input-root.js";
import { normalisePaths } from "./operations/normalise-paths.js";
import { promoteCommandPlatform } from "./operations/promote-command-platform.js";
import { readContainerImage } from "./operations/read-container-image.js";
import { refuseStepProperties } from "./operations/refuse-step-properties.js";
import { resolveImage } from "./operations/resolve-image.js";
import { rewriteCommand } from "./operations/rewrite-command.js";
import { wrapArguments } from "./operations/wrap-arguments.js";
import { platformOf } from "./platform-properties.js";
import { createPropertyTable } from "./property-table.js";
import type { RouteContext } from "./route-context.js";
import { checkRouteSettings, type RouteSettings } from "./route-settings.js";
import type { RoutedAction } from "./routed-action.js";
import { createSecretPolicy } from "./secret-policy.js";
import { createUnderstanding } from "./understand.js";

/** What became of an action. */
export interface Route {
  /** Every decision on the way, for explanations. */
  readonly routed: RoutedAction;
  /** What to run: the client's own bytes where nothing had to change. */
  readonly action: Action;
  /** To be stored before the action is given out; undefined: no new one. */
  readonly command: EncodedBlob | undefined;
  /** Likewise, the new root Directory. */
  readonly inputRoot: EncodedBlob | undefined;
}

/** Routes actions of one set of settings. */
export interface RoutePipeline {
  /**
   * Decides where an action runs and what must change for it. Reads the
   * Command and the registry as needed, writes nothing. The answer depends on
   * the action, the settings and the image digest alone. Throws
   * InvalidArgument for what the client must change, and what policy, CAS and
   * resolver throw.
   */
  route(action: Action | undefined, context: RouteContext): Promise<Route>;
}

/**
 * Compiles the settings into a pipeline; throws InvalidArgument when they are
 * wrong. First it is understood what the action asks for and settled where it
 * runs; only if that is behind the helper, the Command is rewritten.
 */
export function createRoutePipeline(
  settings: RouteSettings,
  parts: { commands: CommandReader; images: ImageResolver },
): RoutePipeline {
  checkRouteSettings(settings);
  const [imageProperty = ""] = settings.imageProperties;
  const table = createPropertyTable(settings.properties);
  const readImage = readContainerImage(
    settings.imageProperties,
    settings.imageKinds,
  );
  const decidePlace = decidePlaceWithoutImage({
    policy: settings.noImage,
    imageProperty,
  });
  const checkPassed = refuseStepProperties({ table, imageProperty });
  const readProperties = applyPropertyTable({
    table,
    networks: settings.networks,
    checkSecret: createSecretPolicy(settings.secrets),
  });
  const understand = createUnderstanding((opened) => {
    const placed = decidePlace(readImage(opened));
    return isPassed(placed) ? checkPassed(placed) : readProperties(placed);
  });
  const rewrite: readonly Operation[] = [
    checkImagePolicy(settings.checkImage),
    resolveImage({ ...settings, imageProperty, images: parts.images }),
    deliverImage(settings.delivery),
    ...(settings.delivery.mode === "inline" ? [nestInputRoot] : []),
    loadCommand,
    normalisePaths,
    rewriteCommand(addCollectedOutputs),
    rewriteCommand(mergeImageEnvironment),
    rewriteCommand(wrapArguments(settings.helper)),
    rewriteCommand(nestWorkingDirectory),
  ];
  return {
    route: async (action, context) => {
      const { instanceName } = context;
      const opened = openAction(action, instanceName, parts.commands);
      const understood = understand(await promoteCommandPlatform(opened));
      if (isPassed(understood)) return close(understood);
      return close(await run(rewrite, understood, context));
    },
  };
}

/** Whether an action runs on the worker as any other. */
function isPassed({ place }: RoutedAction): boolean {
  return place.kind === "worker";
}

async function run(
  operations: readonly Operation[],
  first: RoutedAction,
  context: RouteContext,
): Promise<RoutedAction> {
  let routed = first;
  for (const operate of operations) {
    const next = operate(routed, context);
    // A turn of the event loop for each would double the cost of all.
    routed = next instanceof Promise ? await next : next;
  }
  return routed;
}

function close(routed: RoutedAction): Route {
  const { action, properties, command } = routed;
  const platform = platformOf(action.platform, properties);
  if (command === undefined) {
    const isUnchanged = platform === action.platform;
    return {
      routed,
      action: isUnchanged ? action : { ...action, platform },
      command: undefined,
      inputRoot: undefined,
    };
  }
  const data = encodeMessage(Command, {
    ...command,
    // Workers of before REAPI 2.2 look here; it must not differ.
    platform: command.platform === undefined ? undefined : platform,
  });
  const digest = Digest.of(data);
  return {
    routed,
    action: { ...action, platform, commandDigest: digest.toProto() },
    command: { digest, data },
    inputRoot: routed.inputRoot,
  };
}
