import { Code, StatusError } from "../status/index.js";
import { type OciDigest, parseOciDigest } from "./oci-digest.js";
import { quote } from "./quote.js";

/**
 * An image in an OCI layout on this machine's disk (OCI image specification,
 * image-layout.md): `oci:/path[:tag][@digest]`. Whether a client may name it
 * is for the image policy to say.
 */
export class LayoutReference {
  readonly kind = "layout";
  /** Absolute and normalised: no empty, "." or ".." component. */
  readonly path: string;
  /** Compared with the annotation org.opencontainers.image.ref.name. */
  readonly tag: string | undefined;
  readonly digest: OciDigest | undefined;

  private constructor(
    path: string,
    name: { tag: string | undefined; digest: OciDigest | undefined },
  ) {
    this.path = path;
    this.tag = name.tag;
    this.digest = name.digest;
  }

  /** Parses what follows "oci:". Throws InvalidArgument. */
  static parse(text: string): LayoutReference {
    const match =
      /^((?:\/[^/:@]+)+)(?::([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}))?(?:@(.*))?$/.exec(
        text,
      );
    const path = match?.[1] ?? "";
    if (match === null || path.split("/").some(isDots)) {
      throw new StatusError(
        Code.InvalidArgument,
        `Image layout must be named as oci:/absolute/path[:tag][@digest], without "." or ".." in the path: current value is ${quote(`oci:${text}`)}`,
      );
    }
    const digest =
      match[3] === undefined
        ? undefined
        : parseOciDigest(match[3], "Digest of image reference");
    return new LayoutReference(path, { tag: match[2], digest });
  }

  /** The same layout's manifest of this digest; the tag stays. */
  withDigest(digest: OciDigest): LayoutReference {
    return new LayoutReference(this.path, { tag: this.tag, digest });
  }

  /** The canonical form, equal exactly for equal references. */
  toString(): string {
    if (this.digest !== undefined) return `oci:${this.path}@${this.digest}`;
    return this.tag === undefined
      ? `oci:${this.path}`
      : `oci:${this.path}:${this.tag}`;
  }
}

function isDots(component: string): boolean {
  return component === "." || component === "..";
}
