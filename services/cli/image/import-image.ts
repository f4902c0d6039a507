import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ImageReference } from "../../../lib/image/index.js";
import {
  ImageImporter,
  type ImportedImage,
} from "../../../lib/image-import/index.js";
import {
  createSourceImageResolver,
  type ImageSource,
  imageLayersOf,
  type ResolvedImage,
} from "../../../lib/registry/index.js";
import { openImageSource } from "../open-image-source.js";
import { createProgressLine, formatPull } from "../run/progress-line.js";
import { showWaiting } from "../run/show-waiting.js";
import { findDockerConfig } from "../up/write-configuration-files.js";
import type { ImageSettings } from "./image-settings.js";
import { createLayerRecordFiles } from "./layer-record-files.js";
import type { OpenCas } from "./open-cas.js";
import { withSpoolDirectory } from "./spool-directory.js";

/** Directories of this size work everywhere: Buildbarn's usual bound. */
const maximumDirectoryBytes = 2 * 2 ** 20;

/** More threads than layers that are worth it are of no use. */
const maximumWorkers = 4;

/** An image that a command brought into CAS, or found there. */
export interface ImportResult {
  /** As asked for, with the digest of the platform's manifest. */
  readonly image: ResolvedImage;
  readonly imported: ImportedImage;
}

/**
 * Has an image's tree in CAS, and shows on standard error how it goes. Tags
 * are looked up. Layers that an earlier command read are not read again if
 * CAS has their files. Throws what the resolver and ImageImporter throw.
 */
export async function importImage(
  reference: Exclude<ImageReference, { kind: "cas" }>,
  options: {
    readonly settings: ImageSettings;
    readonly open: OpenCas;
    readonly env: NodeJS.ProcessEnv;
  },
): Promise<ImportResult> {
  const { settings, open, env } = options;
  const dockerConfig = settings.dockerConfig ?? findDockerConfig(env);
  const { source, close } = await openImageSource(reference, {
    flags: { ...settings, dockerConfig },
    state: open.state,
  });
  try {
    const image = await showWaiting(
      process.stderr,
      `looking up ${reference}`,
      createSourceImageResolver(source).resolve(reference, settings.platform, {
        signal: open.context.signal,
      }),
    );
    const cache = cacheFolder(env);
    const imported = await withSpoolDirectory(cache, (spoolDirectory) =>
      runImporter(image, { source, open, spoolDirectory, cache }),
    );
    return { image, imported };
  } finally {
    await close();
  }
}

async function runImporter(
  image: ResolvedImage,
  options: {
    readonly source: ImageSource;
    readonly open: OpenCas;
    readonly spoolDirectory: string;
    readonly cache: string;
  },
): Promise<ImportedImage> {
  const { source, open, spoolDirectory, cache } = options;
  const importer = new ImageImporter({
    cas: { address: open.address },
    spoolDirectory,
    maximumDirectoryBytes,
    workers: Math.min(maximumWorkers, availableParallelism()),
    records: createLayerRecordFiles(join(cache, "layers")),
  });
  const line = createProgressLine(process.stderr);
  const reference = String(image.reference);
  try {
    const layers = imageLayersOf(image, source);
    return await importer.import(
      { reference, layers },
      {
        ...open.context,
        onProgress: (progress) => line.update(formatPull(reference, progress)),
      },
    );
  } finally {
    line.clear();
    await importer.stop();
  }
}

/** Of this user, for what may be lost (XDG Base Directory Specification). */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? "/", ".cache"), "berth");
}
