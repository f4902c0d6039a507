const key = "berth-token";

/** The token that was given in this tab; "" if there is none. */
export function readToken(): string {
  return sessionStorage.getItem(key) ?? "";
}

/** Keeps a token until the tab is closed; "" forgets it. */
export function storeToken(token: string): void {
  if (token === "") sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, token);
}
