/** What the page shows; it stands behind the "#" of its address. */
export type Route =
  | {
      readonly kind: "jobs";
      /** "" for all; else a word of `stateFilters`. */
      readonly state: string;
      /** Exactly this name; "" for all. */
      readonly name: string;
    }
  /** A new job; like another one, if `from` is set. */
  | { readonly kind: "submit"; readonly from: string | undefined }
  | {
      readonly kind: "job";
      readonly id: string;
      readonly step: string | undefined;
    }
  | { readonly kind: "unknown" };

/** Reads what stands behind the "#"; whatever is wrong is `unknown`. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "");
  const decoded = parts.map(tryDecode);
  const parameters = new URLSearchParams(query);
  const [first, id, word, step, ...more] = decoded;
  if (decoded.includes(undefined) || more.length > 0) return unknown;
  if (first === undefined || (first === "jobs" && id === undefined)) {
    const state = parameters.get("state") ?? "";
    return { kind: "jobs", state, name: parameters.get("name") ?? "" };
  }
  if (first === "new" && id === undefined) {
    return { kind: "submit", from: parameters.get("from") ?? undefined };
  }
  if (first !== "jobs" || id === undefined) return unknown;
  if (word === undefined) return { kind: "job", id, step: undefined };
  return word === "steps" && step !== undefined
    ? { kind: "job", id, step }
    : unknown;
}

/** The address of what is to be shown, for a link. */
export function hrefOf(route: Exclude<Route, { kind: "unknown" }>): string {
  switch (route.kind) {
    case "jobs": {
      const query = new URLSearchParams();
      if (route.state !== "") query.set("state", route.state);
      if (route.name !== "") query.set("name", route.name);
      return query.size === 0 ? "#/jobs" : `#/jobs?${query}`;
    }
    case "submit":
      return route.from === undefined
        ? "#/new"
        : `#/new?${new URLSearchParams({ from: route.from })}`;
    case "job": {
      const job = `#/jobs/${encodeURIComponent(route.id)}`;
      return route.step === undefined
        ? job
        : `${job}/steps/${encodeURIComponent(route.step)}`;
    }
  }
}

const unknown: Route = { kind: "unknown" };

function tryDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // half an escape: such an address leads nowhere
  }
}
