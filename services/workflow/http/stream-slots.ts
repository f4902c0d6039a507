import { Code, StatusError } from "../../../lib/status/index.js";

/**
 * Places for answers that last as long as their reader stays: so many in all,
 * and for one tenant, that none can have them all.
 */
export class StreamSlots {
  readonly #limits: { readonly total: number; readonly perTenant: number };
  readonly #byTenant = new Map<string, number>();
  #taken = 0;

  constructor(limits: { readonly total: number; readonly perTenant: number }) {
    this.#limits = limits;
  }

  /** How many are taken. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a place; gives what frees it, once however often it is called.
   * Throws ResourceExhausted.
   */
  take(tenant: string): () => void {
    const ofTenant = this.#byTenant.get(tenant) ?? 0;
    const { total, perTenant } = this.#limits;
    if (this.#taken >= total || ofTenant >= perTenant) {
      throw new StatusError(
        Code.ResourceExhausted,
        `Too many streams are open: at most ${Math.min(total, perTenant)} can be followed at a time`,
      );
    }
    this.#taken++;
    this.#byTenant.set(tenant, ofTenant + 1);
    let isFree = false;
    return () => {
      if (isFree) return;
      isFree = true;
      this.#taken--;
      const left = (this.#byTenant.get(tenant) ?? 1) - 1;
      if (left === 0) this.#byTenant.delete(tenant);
      else this.#byTenant.set(tenant, left);
    };
  }
}
