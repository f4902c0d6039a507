import { LRUCache } from "lru-cache";
import type { ActionResult } from "#proto/build/bazel/remote/execution/v2/remote_execution.js";
import type { CasContext } from "../cas/index.js";
import type { Digest } from "../digest/index.js";
import type { ActionCache } from "./action-cache.js";

/** An action cache in memory, with a bound on the number of results. */
export class InMemoryActionCache implements ActionCache {
  readonly #results: LRUCache<string, ActionResult>;

  constructor(options: { maximumResults: number }) {
    this.#results = new LRUCache({ max: options.maximumResults });
  }

  async get(
    action: Digest,
    { instanceName }: CasContext,
  ): Promise<ActionResult | undefined> {
    return this.#results.get(`${action.key} ${instanceName}`);
  }

  async put(
    action: Digest,
    result: ActionResult,
    { instanceName }: CasContext,
  ): Promise<void> {
    this.#results.set(`${action.key} ${instanceName}`, result);
  }
}
