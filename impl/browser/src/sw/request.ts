/**
 * The head of a request as the app would get it from a browser without a tunnel. A service worker
 * does not see all of it: what is missing is made up here.
 */
import { type Environment, acceptLanguage } from "../port/environment.ts";
import type { CookieScope, FieldText } from "../port/messages.ts";
import { HOP_BY_HOP } from "../session/fields.ts";

/** The part of `Request` that matters here. */
export interface RequestView {
  method: string;
  url: string;
  headers: Iterable<[string, string]>;
  referrer: string;
  referrerPolicy: string;
  mode: string;
  destination: string;
  cache: string;
}

/** Never sent: of one hop only, the agent's to say, or said anew below. */
const DROPPED = new Set([...HOP_BY_HOP, "te", "host", "content-length", "cookie", "accept-encoding", "origin", "referer"]);

/** The request target in origin-form. */
export function requestTarget(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** Where a request comes from, in the words of `Sec-Fetch-Site`; "none" stands for the person at the browser. */
export type Site = "same-origin" | "cross-site" | "none";

/**
 * All requests for parts of a page come from the app's own pages. A frame may be sent here by any page
 * that the app frames: its origin tells, else its referrer, else that the app's own page said so
 * (`byApp`); whatever would change something and comes from nobody counts as another site's.
 */
export function requestSite(request: RequestView, origin: string, byApp: boolean): Site {
  if (request.mode !== "navigate" || byApp) return "same-origin";
  const shown = shownOrigin(request);
  if (shown !== undefined) return shown === origin ? "same-origin" : "cross-site";
  if (URL.canParse(request.referrer) && new URL(request.referrer).origin !== "null") {
    return new URL(request.referrer).origin === origin ? "same-origin" : "cross-site";
  }
  return isSafe(request.method) ? "none" : "cross-site";
}

/** Which cookies go along (RFC 6265bis section 5.8.3). */
export function cookieScope(request: { method: string; credentials: string }, site: Site): CookieScope {
  if (request.credentials === "omit") return "none";
  if (site !== "cross-site") return "all";
  return isSafe(request.method) ? "cross-site-safe" : "cross-site-unsafe";
}

const isSafe = (method: string): boolean => method === "GET" || method === "HEAD";

/** Chromium shows it on form posts: that of the page with the form. */
function shownOrigin(request: RequestView): string | undefined {
  for (const [name, value] of request.headers) if (name.toLowerCase() === "origin") return value;
  return undefined;
}

/** The page wants its forms to be nobody's (Fetch standard, "append a request Origin header"). */
const hidesOrigin = (request: RequestView): boolean => request.mode !== "cors" && request.referrerPolicy === "no-referrer";

/** Fields of the request, names in lower case; `bodyLength` where it is known. */
export function requestFields(request: RequestView, environment: Environment, site: Site, bodyLength?: number): FieldText[] {
  const fields: FieldText[] = [];
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (!DROPPED.has(lower) && !lower.startsWith("sec-fetch-")) fields.push([lower, value]);
  }
  const has = (name: string): boolean => fields.some(([one]) => one === name);
  const add = (name: string, value: string): void => {
    if (value !== "" && !has(name)) fields.push([name, value]);
  };
  add("accept", "*/*");
  add("accept-language", acceptLanguage(environment.languages));
  add("user-agent", environment.userAgent);
  // A compressed event stream would be held back by its decoder; a range is cut from the coded bytes.
  const asIs = has("range") || /\btext\/event-stream\b/.test(fields.find(([name]) => name === "accept")?.[1] ?? "");
  add("accept-encoding", asIs ? "identity" : "gzip, deflate");
  const origin = shownOrigin(request);
  if (origin !== undefined) add("origin", origin);
  else if (!isSafe(request.method)) add("origin", site === "same-origin" && !hidesOrigin(request) ? environment.origin : "null");
  if (/^https?:/.test(request.referrer)) add("referer", request.referrer);
  if (bodyLength !== undefined) add("content-length", String(bodyLength));
  if (request.cache === "reload") {
    add("cache-control", "no-cache");
    add("pragma", "no-cache");
  } else if (request.cache === "no-cache") {
    add("cache-control", "max-age=0");
  }
  add("sec-fetch-site", site);
  add("sec-fetch-mode", request.mode);
  add("sec-fetch-dest", secFetchDest(request));
  return fields;
}

/** The app's own frame stands for a tab, so its navigations are those of a document. */
function secFetchDest(request: RequestView): string {
  if (request.mode === "navigate") return "document";
  return request.destination === "" ? "empty" : request.destination;
}
