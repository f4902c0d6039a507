import { Digest } from "../../../lib/digest/index.js";
import { Code, StatusError } from "../../../lib/status/index.js";
import type { Source } from "../model/container.js";
import type { Job } from "../model/job.js";
import type { StepData } from "./build-action.js";

const noBytes = new Uint8Array();

/** What a step left under a name; NotFound if there is no such thing. */
export function dataOf(job: Job, { step: name, output }: Source): StepData {
  const step = job.steps.find((each) => each.specification.name === name);
  const state = step?.state;
  if (state?.kind !== "succeeded") {
    throw new StatusError(Code.Internal, `Step "${name}" has not succeeded`);
  }
  const { result } = state;
  if (output === "stdout" || output === "stderr") {
    const text = result[output];
    const digest = text === undefined ? Digest.of(noBytes) : parseDigest(text);
    return { kind: "file", digest };
  }
  const found = result.outputs.find((each) => each.name === output);
  if (found === undefined) {
    throw new StatusError(
      Code.NotFound,
      `Step "${name}" did not leave its output "${output}"`,
    );
  }
  return { kind: found.kind, digest: parseDigest(found.digest) };
}

/** Of "hash/size", as it is stored. */
export function parseDigest(text: string): Digest {
  const [hash = "", size] = text.split("/");
  return Digest.create(hash, Number(size));
}
