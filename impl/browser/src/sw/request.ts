/**
 * The head of a request as the app would get it from a browser without a tunnel. A service worker
 * does not see all of it: what is missing is made up here (BROWSER.md 21).
 */
import type { FieldText } from "../port/messages.ts";

/** The part of `Request` that matters here. */
export interface RequestView {
  method: string;
  url: string;
  headers: Iterable<[string, string]>;
  referrer: string;
  mode: string;
  destination: string;
  cache: string;
}

/** What the browser says about itself. */
export interface Environment {
  origin: string;
  userAgent: string;
  languages: readonly string[];
}

/** Never sent: of one hop only, the agent's to say, or said anew below. */
const DROPPED = new Set([
  "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te",
  "content-length", "cookie", "accept-encoding", "origin", "referer",
]);

/** The request target in origin-form. */
export function requestTarget(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** Fields of the request, names in lower case; `bodyLength` where it is known. */
export function requestFields(request: RequestView, environment: Environment, bodyLength?: number): FieldText[] {
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
  if (request.method !== "GET" && request.method !== "HEAD") add("origin", environment.origin);
  if (/^https?:/.test(request.referrer)) add("referer", request.referrer);
  if (bodyLength !== undefined) add("content-length", String(bodyLength));
  if (request.cache === "reload") {
    add("cache-control", "no-cache");
    add("pragma", "no-cache");
  } else if (request.cache === "no-cache") {
    add("cache-control", "max-age=0");
  }
  const navigation = request.mode === "navigate";
  const fromElsewhere = navigation && !request.referrer.startsWith(environment.origin);
  add("sec-fetch-site", fromElsewhere ? "none" : "same-origin");
  add("sec-fetch-mode", request.mode);
  add("sec-fetch-dest", secFetchDest(request, navigation));
  return fields;
}

/** The app's own frame stands for a tab, so its navigations are those of a document. */
function secFetchDest(request: RequestView, navigation: boolean): string {
  if (navigation) return "document";
  return request.destination === "" ? "empty" : request.destination;
}

/** "en-GB,en;q=0.9,de;q=0.8": as browsers write it. */
function acceptLanguage(languages: readonly string[]): string {
  return languages
    .slice(0, 10)
    .map((language, i) => (i === 0 ? language : `${language};q=${Math.max(0.1, 1 - i / 10).toFixed(1)}`))
    .join(",");
}
