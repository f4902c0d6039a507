import {
  Digest,
  type InstanceName,
  parseInstanceName,
} from "../digest/index.js";
import { Code, StatusError } from "../status/index.js";

/** A blob as ByteStream names it (REAPI, ContentAddressableStorage). */
export interface ResourceName {
  readonly instanceName: InstanceName;
  readonly digest: Digest;
}

/** "{instance}/blobs/{hash}/{size}". */
export function readResourceName(name: ResourceName): string {
  return `${prefix(name)}blobs/${name.digest}`;
}

/** "{instance}/uploads/{uuid}/blobs/{hash}/{size}". */
export function writeResourceName(name: ResourceName, uuid: string): string {
  return `${prefix(name)}uploads/${uuid}/blobs/${name.digest}`;
}

function prefix({ instanceName }: ResourceName): string {
  return instanceName === "" ? "" : `${instanceName}/`;
}

/** Parses a name to read from; throws InvalidArgument. */
export function parseReadResourceName(text: string): ResourceName {
  const parts = text.split("/");
  const at = parts.lastIndexOf("blobs");
  if (at < 0 || parts.length !== at + 3) throw malformed(text);
  return resource(parts, at, at);
}

/**
 * Parses a name to write to; what follows the size is metadata and ignored,
 * as the API asks. Throws InvalidArgument.
 */
export function parseWriteResourceName(text: string): ResourceName {
  const parts = text.split("/");
  const at = parts.indexOf("uploads");
  if (at < 0 || parts[at + 2] !== "blobs" || parts.length < at + 5) {
    throw malformed(text);
  }
  return resource(parts, at, at + 2);
}

function resource(
  parts: readonly string[],
  instanceEnd: number,
  blobs: number,
): ResourceName {
  const size = parts[blobs + 2] ?? "";
  if (!/^\d{1,16}$/.test(size)) throw malformed(parts.join("/"));
  return {
    instanceName: parseInstanceName(parts.slice(0, instanceEnd).join("/")),
    digest: Digest.create(parts[blobs + 1] ?? "", Number(size)),
  };
}

function malformed(text: string): StatusError {
  const compressed = text.includes("compressed-blobs")
    ? " (compressed blobs are not offered)"
    : "";
  return new StatusError(
    Code.InvalidArgument,
    `Resource name must be "[instance/]blobs/hash/size" or "[instance/]uploads/id/blobs/hash/size"${compressed}: current value is "${text.slice(0, 200)}"`,
  );
}
