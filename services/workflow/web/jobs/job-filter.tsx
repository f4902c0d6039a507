import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { hrefOf } from "../route.js";
import { stateFilters } from "../text/states.js";

/** Chooses which jobs are listed; what is chosen stands in the address. */
export function JobFilter({
  state,
  name,
}: {
  state: string;
  name: string;
}): JSX.Element {
  const [typed, setTyped] = useState(name);
  const show = (nextState: string, nextName: string) => {
    location.hash = hrefOf({ kind: "jobs", state: nextState, name: nextName });
  };
  return (
    <search>
      <form
        class="filter"
        aria-label="Filter jobs"
        onSubmit={(event) => {
          event.preventDefault();
          show(state, typed.trim());
        }}
      >
        <label class="field">
          <span class="field-label">State</span>
          <select
            value={state}
            onChange={(event) => show(event.currentTarget.value, name)}
          >
            {stateFilters.map(({ word, label }) => (
              <option key={word} value={word}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span class="field-label">Exact name</span>
          <input
            type="search"
            value={typed}
            maxLength={255}
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
            onSearch={(event) =>
              event.currentTarget.value === "" && show(state, "")
            }
          />
        </label>
        <button type="submit" class="button">
          Find
        </button>
      </form>
    </search>
  );
}
