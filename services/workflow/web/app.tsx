import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { createApi } from "./api/api.js";
import { ApiContext } from "./api/api-context.js";
import { readToken, storeToken } from "./api/token-store.js";
import { JobPage } from "./job/job-page.js";
import { JobsPage } from "./jobs/jobs-page.js";
import { Announcer } from "./parts/announcer.js";
import { PageTitle } from "./parts/page-title.js";
import { hrefOf, type Route } from "./route.js";
import { SubmitPage } from "./submit/submit-page.js";
import { TokenPage } from "./token-page.js";
import { useRoute } from "./use-route.js";

const jobsHref = hrefOf({ kind: "jobs", state: "", name: "" });
const submitHref = hrefOf({ kind: "submit", from: undefined });

/** The whole page. */
export function App(): JSX.Element {
  const route = useRoute();
  const [token, setToken] = useState(readToken);
  const [isRefused, setRefused] = useState(false);
  const api = useMemo(() => createApi(token, () => setRefused(true)), [token]);
  const changeToken = (next: string) => {
    storeToken(next);
    setToken(next);
    setRefused(false);
  };
  const isNew = route.kind === "submit";
  return (
    <ApiContext.Provider value={api}>
      <Announcer>
        <SkipLink />
        <header class="masthead">
          <a class="brand" href={jobsHref}>
            <img src="/ui/icon.svg" alt="" width="24" height="24" />
            berth
          </a>
          <nav aria-label="Main">
            <a href={jobsHref} aria-current={isNew ? undefined : "page"}>
              Jobs
            </a>
            <a href={submitHref} aria-current={isNew ? "page" : undefined}>
              New job
            </a>
          </nav>
          {token !== "" && (
            <button
              type="button"
              class="link-button sign-out"
              onClick={() => changeToken("")}
            >
              Forget token
            </button>
          )}
        </header>
        <main id="main" tabIndex={-1}>
          {isRefused ? (
            <TokenPage hadToken={token !== ""} onToken={changeToken} />
          ) : (
            <Page key={token} route={route} />
          )}
        </main>
      </Announcer>
    </ApiContext.Provider>
  );
}

function Page({ route }: { route: Route }): JSX.Element {
  switch (route.kind) {
    case "jobs":
      return <JobsPage key="jobs" route={route} />;
    case "submit":
      return <SubmitPage key={`new ${route.from}`} from={route.from} />;
    case "job":
      return <JobPage key={route.id} id={route.id} chosen={route.step} />;
    case "unknown":
      return (
        <>
          <PageTitle title="There is nothing here" />
          <p>
            This address leads nowhere. <a href={jobsHref}>Show all jobs</a>
          </p>
        </>
      );
  }
}

function SkipLink(): JSX.Element {
  return (
    // biome-ignore lint/a11y/useValidAnchor: it does lead to what it says.
    <a
      class="skip-link"
      href="#main"
      onClick={(event) => {
        // What stands behind "#" is the route.
        event.preventDefault();
        document.getElementById("main")?.focus();
      }}
    >
      Skip to content
    </a>
  );
}
