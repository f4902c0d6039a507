/**
 * What every answer says to browsers: take the bytes for what they are said to
 * be, show them in no frame, run nothing in them, keep none of them, and let no
 * other origin have them. The page's files overrule some of it.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
