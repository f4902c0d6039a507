import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { Code, StatusError, wrap } from "../../../lib/status/index.js";
import type { HttpServer } from "./http-context.js";

/** More is no web page of ours: a wrong folder was given. */
const maximumFiles = 500;
const maximumBytes = 32 * 2 ** 20;

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** Nothing but what the page itself brings, it in no frame, no HTML of text. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** A file of the page. */
interface PageFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
  readonly cacheControl: string;
}

/** The files of a page by their paths, in memory: no request touches a disk. */
export type StaticPage = ReadonlyMap<string, PageFile>;

/** Said with each of its files. */
function policyOf(page: StaticPage): string {
  const html = page.get("index.html")?.bytes.toString() ?? "";
  const digests = Array.from(
    html.matchAll(/<script type="importmap">(.*?)<\/script>/gs),
    ([, text = ""]) =>
      ` 'sha256-${createHash("sha256").update(text).digest("base64")}'`,
  );
  const scripts = `script-src 'self'${digests.join("")}`;
  return `${contentSecurityPolicy}; ${scripts}`;
}

/**
 * Reads a page's folder. Tests, and files of other kinds than a page has, are
 * left out.
 * Throws what reading does, and InvalidArgument for a folder too large.
 */
export async function readStaticPage(root: string): Promise<StaticPage> {
  const names = await readdir(root, { recursive: true }).catch(
    (error: unknown) => {
      throw wrap(error, `Failed to read web page "${root}"`);
    },
  );
  const page = new Map<string, PageFile>();
  let size = 0;
  for (const name of names.sort()) {
    const type = contentTypes[extname(name)];
    if (type === undefined || name.endsWith(".test.js")) continue;
    const bytes = await readFile(join(root, name));
    size += bytes.length;
    page.set(name, pageFile(name, { bytes, type }));
    if (page.size > maximumFiles || size > maximumBytes) {
      throw new StatusError(
        Code.InvalidArgument,
        `Web page "${root}" must have at most ${maximumFiles} files and ${maximumBytes} bytes`,
      );
    }
  }
  return page;
}

function pageFile(
  name: string,
  { bytes, type }: { bytes: Buffer; type: string },
): PageFile {
  const digest = createHash("sha256").update(bytes).digest("base64url");
  // A name that holds a digest of the content never means another one.
  const isHashed = /[.-][0-9a-f]{8,64}\.[a-z0-9]+$/.test(name);
  const cacheControl = isHashed
    ? "public, max-age=31536000, immutable"
    : "no-cache";
  return { bytes, type, etag: `"${digest.slice(0, 22)}"`, cacheControl };
}

/**
 * Serves the page under /ui/, its own paths (/ui/jobs/…) being all of
 * index.html; and leads browsers there that ask for "/".
 */
export function registerStaticPage(server: HttpServer, page: StaticPage): void {
  const policy = policyOf(page);
  server.route({
    method: "GET",
    url: "/",
    schema: { hide: true },
    handler: ({ headers }, reply) => {
      reply.header("vary", "accept");
      if (prefersHtml(headers.accept)) return reply.redirect("/ui/", 302);
      return reply.type("application/json; charset=utf-8").send({
        page: "/ui/",
        openapi: "/v1/openapi.json",
        jobs: "/v1/jobs",
        dray: "/jobs",
      });
    },
  });
  server.route({
    method: "GET",
    url: "/ui",
    schema: { hide: true },
    handler: (_request, reply) => reply.redirect("/ui/", 308),
  });
  server.route({
    method: "GET",
    url: "/ui/*",
    schema: { hide: true },
    handler: ({ params, headers }, reply) => {
      const name = (params as { "*": string })["*"]; // by the route's pattern
      const file = page.get(name) ?? fallback(page, name);
      if (file === undefined) {
        throw new StatusError(Code.NotFound, "There is no such file");
      }
      reply
        .header("etag", file.etag)
        .header("cache-control", file.cacheControl)
        .header("content-security-policy", policy);
      // No parsing: a tag with its quotes stands in no other one.
      if (headers["if-none-match"]?.includes(file.etag)) {
        return reply.code(304).send();
      }
      return reply.type(file.type).send(file.bytes);
    },
  });
}

/** What has no ending is a path of the page's own. */
function fallback(page: StaticPage, name: string): PageFile | undefined {
  return /^[\w/-]*$/.test(name) ? page.get("index.html") : undefined;
}

/** Whether a browser asks; curl and programs take anything. */
function prefersHtml(accept: string | undefined): boolean {
  return /(^|,)\s*text\/html\s*(;|,|$)/i.test(accept ?? "");
}
