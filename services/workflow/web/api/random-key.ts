/**
 * A key that nobody else makes. Not by crypto.randomUUID(), which browsers
 * give to pages of secure origins only.
 */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
