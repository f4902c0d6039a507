import type { Job } from "../../model/job.js";
import type { Creation, IdempotencyKey, LogSegment } from "../job-store.js";
import { jobIndex } from "../record/job-index.js";
import type { JobRow } from "../record/record-reader.js";
import {
  jobExists,
  jobNotFound,
  logOrderGap,
  staleVersion,
} from "../write-conflict.js";
import type { JobParameters, SqliteStatements } from "./sqlite-statements.js";

/**
 * The writes of several statements. Each is run within a transaction, and
 * throws a StatusError before it changes anything, or not at all.
 */
export class SqliteWrites {
  readonly #statements: SqliteStatements;

  constructor(statements: SqliteStatements) {
    this.#statements = statements;
  }

  create(job: Job, record: string, idempotency?: IdempotencyKey): Creation {
    const { id, tenant } = job;
    const stored = this.#statements.get.get(id);
    if (stored?.version === 1 && stored.record === record) {
      return { kind: "created" }; // a repetition
    }
    if (idempotency !== undefined) {
      const used = this.#statements.key.get(tenant, idempotency.key);
      if (used !== undefined) return { kind: "existing", ...used };
    }
    if (stored !== undefined) throw jobExists(id);
    this.#insert(job, record);
    if (idempotency !== undefined) {
      const { key, fingerprint } = idempotency;
      this.#statements.insertKey.run(tenant, key, fingerprint, id);
    }
    return { kind: "created" };
  }

  update(job: Job, record: string, version: number): number {
    const { id } = job;
    const row = { ...jobParameters(job, record), version };
    const { changes } = this.#statements.update.run(row);
    if (changes > 0) return version + 1;
    const stored = this.#statements.get.get(id);
    if (stored === undefined) throw jobNotFound(id);
    if (stored.version === version + 1 && stored.record === record) {
      return version + 1; // a repetition
    }
    throw staleVersion(id, { stored: stored.version, given: version });
  }

  appendLogOrder(
    id: string,
    from: number,
    segments: readonly LogSegment[],
  ): void {
    if (this.#statements.version.get(id) === undefined) return;
    const stored = this.#statements.countLogOrder.get(id)?.count ?? 0;
    if (stored < from) throw logOrderGap(id, { stored, given: from });
    if (stored > from) this.#statements.cutLogOrder.run(id, from);
    segments.forEach((segment, index) => {
      this.#statements.insertLogSegment.run(id, from + index, segment);
    });
  }

  /** Moves a record of a version aside; false if it is not there any more. */
  setAside(
    { id, version }: Pick<JobRow, "id" | "version">,
    reason: string,
  ): boolean {
    const at = Date.now();
    const { changes } = this.#statements.setAside.run({
      id,
      version,
      reason,
      at,
    });
    if (changes > 0) this.#statements.delete.run(id);
    return changes > 0;
  }

  #insert(job: Job, record: string): void {
    const row = jobParameters(job, record);
    const { id, tenant, position } = row;
    this.#statements.insert.run(row);
    for (const [label, value] of Object.entries(job.labels)) {
      this.#statements.insertLabel.run(tenant, label, value, position, id);
    }
  }
}

function jobParameters(job: Job, record: string): JobParameters {
  const { name = null, isHidden, endedAt = null, ...others } = jobIndex(job);
  return { ...others, name, endedAt, record, hidden: Number(isHidden) };
}
