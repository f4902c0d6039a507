import { z } from "zod";
import { Code, StatusError } from "../../../../lib/status/index.js";
import type { Job } from "../../model/job.js";
import type {
  Creation,
  IdempotencyKey,
  JobPage,
  JobQuery,
  JobStore,
  KeyUse,
  LogSegment,
  StoredJob,
} from "../job-store.js";
import { jobIndex } from "../record/job-index.js";
import { type Rows, readAll, readPage } from "../record/read-rows.js";
import { type JobRow, RecordReader } from "../record/record-reader.js";
import { writeRecord } from "../record/stored-form.js";
import {
  jobExists,
  jobNotFound,
  logOrderGap,
  staleVersion,
} from "../write-conflict.js";
import type { ScriptArgument } from "./redis-connection.js";
import { redisScripts } from "./redis-scripts.js";
import { RedisSession, type RedisSessionOptions } from "./redis-session.js";

/** How many jobs a script looks at: others wait for it some milliseconds. */
const jobsAtOnce = 500;

/** Of a script that removes jobs, which is more work each. */
const removedAtOnce = 100;

const segmentSchema = z.strictObject({
  step: z.int(),
  run: z.int(),
  stream: z.enum(["stdout", "stderr"]),
  from: z.int(),
  to: z.int(),
  lines: z.int(),
});

/** Jobs in Redis, beneath a prefix that one process at a time may use. */
export class RedisJobStore implements JobStore {
  readonly #session: RedisSession;
  readonly #reader: RecordReader;

  private constructor(session: RedisSession, reader: RecordReader) {
    this.#session = session;
    this.#reader = reader;
  }

  /** As RedisSession.open(). */
  static async open(options: RedisSessionOptions): Promise<RedisJobStore> {
    const session = await RedisSession.open(options);
    const key = `${options.prefix}set-aside`;
    try {
      const count = await session.read((redis) => redis.zcard(key));
      const reader = new RecordReader(
        options.sink,
        count,
        async ({ id, version }, reason) => {
          const parameters = [id, version, reason, Date.now()];
          return (await session.run(redisScripts.setAside, parameters)) === 1;
        },
      );
      return new RedisJobStore(session, reader);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  get setAsideCount(): number {
    return this.#reader.setAsideCount;
  }

  async create(job: Job, idempotency?: IdempotencyKey): Promise<Creation> {
    const { id, tenant, position, ...index } = jobIndex(job);
    const { key = "", fingerprint = "" } = idempotency ?? {};
    const [outcome, jobId = "", used = ""] = (await this.#run("create", [
      ...[id, writeRecord(job), tenant, position],
      ...[Number(index.isHidden), index.endedAt ?? ""],
      ...[idempotency === undefined ? 0 : 1, key, fingerprint],
      ...["state", index.state],
      ...(index.name === undefined ? [] : ["name", index.name]),
      ...labelFields(job.labels),
    ])) as string[]; // as the script says, here and below
    if (outcome === "taken") throw jobExists(id);
    return outcome === "existing"
      ? { kind: "existing", jobId, fingerprint: used }
      : { kind: "created" };
  }

  async findKey(tenant: string, key: string): Promise<KeyUse | undefined> {
    const keys = `${this.#session.prefix}keys:${tenant}`;
    const used = await this.#session.read((redis) => redis.hget(keys, key));
    // As the script "create" wrote it: the job's id, then the rest.
    return used === null
      ? undefined
      : { jobId: used.slice(0, 36), fingerprint: used.slice(36) };
  }

  async get(id: string): Promise<StoredJob | undefined> {
    const key = `${this.#session.prefix}job:${id}`;
    const [version, record] = await this.#session.read((redis) =>
      redis.hmget(key, "version", "record"),
    );
    if (typeof version !== "string") return undefined;
    const row = { id, record, position: "", version: Number(version) };
    return this.#reader.read(row);
  }

  async update(job: Job, version: number): Promise<number> {
    const { id, state, isHidden, endedAt = "" } = jobIndex(job);
    const record = writeRecord(job);
    const [outcome, stored] = (await this.#run("update", [
      ...[id, record, version, state, Number(isHidden), endedAt],
    ])) as string[];
    if (outcome === "none") throw jobNotFound(id);
    if (outcome === "stale") {
      throw staleVersion(id, { stored: Number(stored), given: version });
    }
    return version + 1;
  }

  async delete(id: string): Promise<boolean> {
    return (await this.#run("delete", [id])) === 1;
  }

  list(query: JobQuery): Promise<JobPage> {
    const { tenant, name, states, labels = {} } = query;
    return readPage(
      query,
      (before, count) =>
        this.#rows("list", [
          ...[tenant, before, jobsAtOnce, count],
          states === undefined ? "" : JSON.stringify(states),
          ...[name === undefined ? "" : 1, name ?? ""],
          ...labelFields(labels),
        ]),
      this.#reader,
    );
  }

  countUnfinished(tenant: string): Promise<number> {
    const key = `${this.#session.prefix}unfinished-of:${tenant}`;
    return this.#session.read((redis) => redis.scard(key));
  }

  unfinished(): AsyncIterable<StoredJob> {
    return readAll(
      (after) => this.#rows("unfinished", [after, jobsAtOnce]),
      this.#reader,
    );
  }

  async removeEnded(endedBefore: number, limit: number): Promise<number> {
    let removed = 0;
    for (;;) {
      const asked = Math.min(limit - removed, removedAtOnce);
      const parameters = [endedBefore, asked];
      const [found = 0, gone = 0] = (await this.#run(
        "removeEnded",
        parameters,
      )) as number[];
      removed += gone;
      if (found < asked || removed >= limit) return removed;
    }
  }

  async logOrder(id: string): Promise<readonly LogSegment[]> {
    const key = `${this.#session.prefix}log:${id}`;
    const segments = await this.#session.read((redis) =>
      redis.lrange(key, 0, -1),
    );
    return segments.map((text) => parseSegment(text, id));
  }

  async appendLogOrder(
    id: string,
    from: number,
    segments: readonly LogSegment[],
  ): Promise<void> {
    const texts = segments.map((segment) => JSON.stringify(segment));
    const stored = Number(
      await this.#run("appendLogOrder", [id, from, ...texts]),
    );
    if (stored < from) throw logOrderGap(id, { stored, given: from });
  }

  async pin(reference: string): Promise<string | undefined> {
    const key = `${this.#session.prefix}pins`;
    const digest = await this.#session.read((redis) =>
      redis.hget(key, reference),
    );
    return digest ?? undefined;
  }

  async setPin(reference: string, digest: string): Promise<void> {
    await this.#run("setPin", [reference, digest]);
  }

  async check(): Promise<void> {
    await this.#run("probe", []);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #run(
    name: keyof typeof redisScripts,
    parameters: readonly ScriptArgument[],
  ): Promise<unknown> {
    return this.#session.run(redisScripts[name], parameters);
  }

  async #rows(
    name: "list" | "unfinished",
    parameters: readonly ScriptArgument[],
  ): Promise<Rows> {
    const [next, ...parts] = (await this.#run(name, parameters)) as string[];
    const rows: JobRow[] = [];
    for (let at = 0; at < parts.length; at += 4) {
      const [id = "", version, position = "", record] = parts.slice(at, at + 4);
      rows.push({ id, version: Number(version), position, record });
    }
    return { rows, next: next === "" ? undefined : next };
  }
}

/** Labels as fields of a job's hash, beside its own. */
function labelFields(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).flatMap(([name, value]) => [
    `label:${name}`,
    value,
  ]);
}

function parseSegment(text: string, id: string): LogSegment {
  try {
    return segmentSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new StatusError(
      Code.DataLoss,
      `The log order of job "${id}" cannot be read`,
      { cause },
    );
  }
}
