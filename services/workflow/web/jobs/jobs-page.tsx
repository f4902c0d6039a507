import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { JobSummary } from "../../../../lib/job-api/index.js";
import type { ListQuery } from "../api/api.js";
import { useAnnounce } from "../parts/announcer.js";
import { Notice } from "../parts/notice.js";
import { PageTitle } from "../parts/page-title.js";
import { hrefOf, type Route } from "../route.js";
import { stateFilters, stateLabel } from "../text/states.js";
import { JobFilter } from "./job-filter.js";
import { JobTable } from "./job-table.js";
import { useJobList } from "./use-job-list.js";

/** Jobs of a page: what can be looked over. */
const pageSize = 25;

/** The list of jobs. */
export function JobsPage({
  route: { state, name },
}: {
  route: Route & { kind: "jobs" };
}): JSX.Element {
  /** Of the pages before this one; the first has none. */
  const [cursors, setCursors] = useState<readonly string[]>([]);
  useEffect(() => setCursors([]), [state, name]);
  const query = useMemo<ListQuery>(() => {
    const filter = stateFilters.find(({ word }) => word === state);
    const states = filter?.states ?? [];
    return { states, name, cursor: cursors.at(-1), limit: pageSize };
  }, [state, name, cursors]);
  const { list, error, isPassing } = useJobList(query);
  useStateChanges(list?.jobs);
  const isFiltered = state !== "" || name !== "";
  const next = list?.cursor;
  return (
    <>
      <div class="title-row">
        <PageTitle title="Jobs" />
        <a
          class="button button-main"
          href={hrefOf({ kind: "submit", from: undefined })}
        >
          New job
        </a>
      </div>
      <JobFilter key={`${state} ${name}`} state={state} name={name} />
      {error !== "" && (
        <Notice kind={isPassing ? "warning" : "error"}>
          {error}. {isPassing && "It is tried again every few seconds."}
        </Notice>
      )}
      {list === undefined && error === "" && <p class="quiet">Loading jobs…</p>}
      {list?.jobs.length === 0 && (
        <Empty isFiltered={isFiltered || cursors.length > 0} />
      )}
      {list !== undefined && list.jobs.length > 0 && (
        <JobTable jobs={list.jobs} isStale={error !== ""} />
      )}
      {(cursors.length > 0 || next !== undefined) && (
        <nav class="pager" aria-label="Pages">
          <button
            type="button"
            class="button"
            disabled={cursors.length === 0}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            Newer
          </button>
          <span>Page {cursors.length + 1}</span>
          <button
            type="button"
            class="button"
            disabled={next === undefined}
            onClick={() => next && setCursors([...cursors, next])}
          >
            Older
          </button>
        </nav>
      )}
    </>
  );
}

function Empty({ isFiltered }: { isFiltered: boolean }): JSX.Element {
  if (isFiltered) {
    return (
      <div class="empty">
        <p>No job is like that.</p>
        <a class="button" href={hrefOf({ kind: "jobs", state: "", name: "" })}>
          Show all jobs
        </a>
      </div>
    );
  }
  return (
    <div class="empty">
      <p>There are no jobs yet.</p>
      <p class="quiet">
        A job is a list of steps. Each runs in a container image, and hands its
        output on to the next ones.
      </p>
      <a
        class="button button-main"
        href={hrefOf({ kind: "submit", from: undefined })}
      >
        Write the first one
      </a>
    </div>
  );
}

/** Says which jobs of the list came to another state. */
function useStateChanges(jobs: readonly JobSummary[] | undefined): void {
  const announce = useAnnounce();
  const known = useRef(new Map<string, string>());
  useEffect(() => {
    const changes = (jobs ?? []).flatMap((job) => {
      const before = known.current.get(job.id);
      if (before === undefined || before === job.state) return [];
      return [
        `${job.name ?? `Job ${job.id.slice(0, 8)}`}: ${stateLabel(job.state)}`,
      ];
    });
    known.current = new Map((jobs ?? []).map(({ id, state }) => [id, state]));
    if (changes.length > 0) announce(changes.slice(0, 5).join(". "));
  }, [jobs, announce]);
}
