import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Api } from "./api.js";

/** The API for all beneath it. */
export const ApiContext = createContext<Api | undefined>(undefined);

/** The API; only beneath ApiContext.Provider. */
export function useApi(): Api {
  const api = useContext(ApiContext);
  if (api === undefined) throw new Error("There is no ApiContext above");
  return api;
}
