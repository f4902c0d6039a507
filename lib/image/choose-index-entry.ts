import { Code, StatusError } from "../status/index.js";
import type { ImageIndex, IndexEntry } from "./image-index.js";
import { formatPlatform, type Platform, variantNumberOf } from "./platform.js";

/** Enough for any real image; more would only flood the error's text. */
const maximumListed = 20;

/**
 * Chooses the entry of an index for a platform, by one rule that gives the
 * same answer everywhere:
 *
 * 1. os and architecture are equal, and the variant runs on the wanted one:
 *    the same, or an older one of the same architecture (an arm v7 runs v6;
 *    an amd64 v3 runs v1). Who names no variant gets the usual one.
 * 2. Among these the newest variant; among equals the first in the index.
 * 3. If none matches, and just one entry does not name any platform (as in
 *    layouts), that one: the image's config is compared later.
 *
 * Throws InvalidArgument with the platforms that there are.
 */
export function chooseIndexEntry(
  index: ImageIndex,
  platform: Platform,
): IndexEntry {
  let best: { entry: IndexEntry; age: number } | undefined;
  for (const entry of index.entries) {
    const age = variantAge(entry.platform, platform);
    if (age !== undefined && (best === undefined || age < best.age)) {
      best = { entry, age };
    }
  }
  if (best !== undefined) return best.entry;
  const unnamed = index.entries.filter((entry) => entry.platform === undefined);
  if (unnamed.length === 1 && unnamed[0] !== undefined) return unnamed[0];
  throw new StatusError(
    Code.InvalidArgument,
    `Image has no manifest for platform ${formatPlatform(platform)}: available are ${listPlatforms(index)}`,
  );
}

/**
 * Whether an image for one platform runs on another, by the rule of
 * chooseIndexEntry.
 */
export function runsOn(image: Platform, wanted: Platform): boolean {
  return variantAge(image, wanted) !== undefined;
}

/** How many variants older than wanted; undefined if it does not run. */
function variantAge(
  offered: Platform | undefined,
  wanted: Platform,
): number | undefined {
  if (
    offered?.os !== wanted.os ||
    offered.architecture !== wanted.architecture
  ) {
    return undefined;
  }
  if (offered.variant === wanted.variant) return 0;
  const age = variantNumberOf(wanted) - variantNumberOf(offered);
  return age > 0 ? age : undefined; // not for NaN: unknown variants differ
}

function listPlatforms(index: ImageIndex): string {
  const names = new Set<string>();
  for (const { platform } of index.entries) {
    // BuildKit's attestations are entries for "unknown/unknown".
    if (platform === undefined || platform.os === "unknown") continue;
    names.add(formatPlatform(platform));
  }
  if (names.size === 0) return "none";
  const listed = [...names].sort().slice(0, maximumListed);
  const more = names.size - listed.length;
  return more > 0 ? `${listed.join(", ")} and ${more} more` : listed.join(", ");
}
