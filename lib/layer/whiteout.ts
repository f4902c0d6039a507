import { Code, StatusError } from "../status/index.js";

/**
 * What a path says by its name: "entry" is itself; "whiteout" and "opaque"
 * speak of `path` in lower layers; "aufs" is a leftover of that driver.
 */
export interface WhiteoutMeaning {
  readonly kind: "entry" | "whiteout" | "opaque" | "aufs";
  readonly path: string;
}

const prefix = ".wh.";
const metadataPrefix = ".wh..wh.";
const opaqueName = ".wh..wh..opq";

/**
 * Reads the whiteouts of the OCI image specification ("Whiteouts"). Throws
 * InvalidArgument on a whiteout of nothing, of "." and of "..": engines that
 * accept these delete the directory itself, or the one above.
 */
export function parseWhiteout(path: string): WhiteoutMeaning {
  // Almost every path ends here.
  if (!path.includes(prefix)) return { kind: "entry", path };
  const slash = path.lastIndexOf("/");
  const parent = slash === -1 ? "" : path.slice(0, slash);
  const name = path.slice(slash + 1);
  if (name === opaqueName) return { kind: "opaque", path: parent };
  if (path.startsWith(metadataPrefix) || name.startsWith(metadataPrefix)) {
    return { kind: "aufs", path };
  }
  if (!name.startsWith(prefix)) return { kind: "entry", path };
  const hidden = name.slice(prefix.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new StatusError(
      Code.InvalidArgument,
      `Whiteout must name what it hides: current value is "${name}"`,
    );
  }
  return {
    kind: "whiteout",
    path: parent === "" ? hidden : `${parent}/${hidden}`,
  };
}
