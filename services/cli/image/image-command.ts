import type { ImageSettings } from "./image-settings.js";
import type { OpenCas } from "./open-cas.js";
import type { Output } from "./output.js";

/** What a command on images works with. */
export interface ImageCommandContext {
  readonly settings: ImageSettings;
  readonly open: OpenCas;
  readonly env: NodeJS.ProcessEnv;
  /** Standard output. */
  readonly output: Output;
}

/** A command on images: does its work, and gives the exit status. */
export type ImageCommand = (
  operands: readonly string[],
  context: ImageCommandContext,
) => Promise<number>;
