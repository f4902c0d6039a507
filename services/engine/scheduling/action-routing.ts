import type {
  Action,
  RequestMetadata,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { Digest, InstanceName } from "../../../lib/digest/index.js";

/** An action that a client wants executed. */
export interface RoutingRequest {
  readonly instanceName: InstanceName;
  readonly action: Action;
  readonly requestMetadata: RequestMetadata | undefined;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** An action as it is to be executed. */
export interface RoutedAction {
  /** Its platform is never undefined. */
  readonly action: Action;
  readonly commandDigest: Digest;
  /** For fairness: actions of different keys take turns. At least one. */
  readonly invocationKeys: readonly string[];
  /** The command is not the client's any more: the router wrote it. */
  readonly isRewritten: boolean;
  /**
   * The client's input root, where the router has put it into another one,
   * whose other entries are an image's.
   */
  readonly nestedInputRoot: Digest | undefined;
}

/** Decides how an action is executed. */
export interface ActionRouting {
  route(request: RoutingRequest): Promise<RoutedAction>;
}
