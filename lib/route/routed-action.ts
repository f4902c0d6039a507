import type {
  Action,
  Command,
  Platform_Property,
} from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { InstanceName } from "../digest/index.js";
import type { ImageReference } from "../image/index.js";
import type { ActionImage } from "./action-image.js";
import type { EncodedBlob } from "./blob-writer.js";
import type { StepWish } from "./step-wish.js";

/** Whether an action reaches the network, as the helper's flag says it. */
export type Network = "host" | "none";

/** Where an action runs. */
export type Place =
  /** Not known yet. */
  | { readonly kind: "undecided" }
  /** On the worker like any action, unchanged. */
  | { readonly kind: "worker" }
  /** In the worker's own root, behind the helper. */
  | { readonly kind: "sandbox" }
  /** In the root of an image. */
  | { readonly kind: "image"; readonly image: ActionImage };

/**
 * An action on its way through the pipeline. Operations never change one;
 * they make the next.
 */
export interface RoutedAction {
  readonly instanceName: InstanceName;
  /** The client's, but for what operations replaced at the top level. */
  readonly action: Action;
  /** Platform properties that nobody consumed. */
  readonly properties: readonly Platform_Property[];
  /**
   * The client's Command, read from CAS at most once. Throws what
   * CommandReader throws.
   */
  loadCommand(): Promise<Command>;
  /** The rewritten Command; undefined as long as nothing is rewritten. */
  readonly command: Command | undefined;
  /** Output directories that the helper makes before the program starts. */
  readonly madeDirectories: readonly string[];
  /** The images asked for, the lowest first, before they are resolved. */
  readonly asked: readonly ImageReference[];
  readonly place: Place;
  /** The input root that takes the place of the client's, if one does. */
  readonly inputRoot: EncodedBlob | undefined;
  /** What the action asked for; undefined where it said nothing. */
  readonly network: Network | undefined;
  /** As the helper's flag: "root" or "user[:group]"; undefined: build user. */
  readonly user: string | undefined;
  /** What it asks for as the step of a job, in the order of its properties. */
  readonly step: readonly StepWish[];
}
