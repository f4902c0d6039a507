import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Digest } from "../../../lib/digest/index.js";

/** The digest of a file's bytes, read once in pieces. */
export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return Digest.create(hash.digest("hex"), sizeBytes);
}
