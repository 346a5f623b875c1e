/**
 * The app's cookies. They are never cookies of the browser, which would send them to the edge
 * (BRO-011). Shell and tunnel worker each hold a copy; of two records for one cookie the later holds.
 *
 * The origin is secure, so `Secure` holds always; no parent domain is accepted in `Domain`, because the
 * parent is a public suffix. `SameSite` decides where a page of another site, framed by the app, sends
 * a frame here.
 */
import type { CookieRecord, CookieScope } from "../port/messages.ts";
import { type SetCookie, parseSetCookie } from "./parse.ts";

/** Cookies kept per origin, the oldest go first; browsers keep about as many. */
const MAX_COOKIES = 180;
/**
 * Session cookies end this long after their last change. A page cannot learn when the browser's
 * session ends, and a reload must not log anybody out.
 */
const SESSION_MS = 24 * 3_600_000;

/** How long a deleted cookie is remembered, so that an older record of it from elsewhere does not revive it. */
const GRAVE_MS = 60_000;

const keyOf = (cookie: { name: string; path: string }): string => `${cookie.path};${cookie.name}`;

export class Jar {
  readonly #host: string;
  readonly #records = new Map<string, CookieRecord>();

  /** `host`: the name in the address, without a port. */
  constructor(host: string) {
    this.#host = host;
  }

  /** Takes a `Set-Cookie` line, or a write of a script; returns the records that changed. */
  set(line: string, requestPath: string, now: number, fromScript: boolean): CookieRecord[] {
    const cookie = parseSetCookie(line, now);
    if (!cookie || !this.#acceptable(cookie, fromScript)) return [];
    const path = cookie.path ?? defaultPath(requestPath);
    const old = this.#records.get(keyOf({ name: cookie.name, path }));
    if (fromScript && old?.httpOnly && isAlive(old, now)) return [];
    const record: CookieRecord = {
      name: cookie.name,
      value: cookie.value,
      path,
      expires: cookie.expires,
      httpOnly: cookie.httpOnly,
      ...(cookie.sameSite && { sameSite: cookie.sameSite }),
      created: old && isAlive(old, now) ? old.created : now,
      stamp: Math.max(now, (old?.stamp ?? 0) + 0.001),
    };
    this.#records.set(keyOf(record), record);
    this.#bury(now);
    return [record, ...this.#evict(now)];
  }

  /** Takes what another copy of the jar has changed. */
  merge(records: readonly CookieRecord[], now: number): void {
    for (const record of records) {
      const old = this.#records.get(keyOf(record));
      if (!old || record.stamp > old.stamp) this.#records.set(keyOf(record), record);
    }
    this.#bury(now);
  }

  /** The value of `Cookie`, or of `document.cookie`; "" where there is none. */
  get(requestPath: string, now: number, scope: CookieScope, forScript: boolean): string {
    return [...this.#records.values()]
      .filter((record) => isAlive(record, now) && pathMatches(requestPath, record.path) && !(forScript && record.httpOnly) && mayGo(record, scope))
      .sort((a, b) => b.path.length - a.path.length || a.created - b.created)
      .map(({ name, value }) => (name === "" ? value : `${name}=${value}`))
      .join("; ");
  }

  #acceptable(cookie: SetCookie, fromScript: boolean): boolean {
    if (fromScript && cookie.httpOnly) return false;
    if (cookie.domain !== undefined && cookie.domain !== this.#host) return false;
    if (cookie.sameSite === "none" && !cookie.secure) return false;
    if (/^__secure-/i.test(cookie.name) && !cookie.secure) return false;
    if (/^__host-/i.test(cookie.name) && (!cookie.secure || cookie.path !== "/" || cookie.domain !== undefined)) return false;
    return true;
  }

  /** Forgets what has been dead for so long that no older copy of it can still be on its way here. */
  #bury(now: number): void {
    for (const [key, record] of this.#records) {
      if (!isAlive(record, now) && record.stamp + GRAVE_MS < now) this.#records.delete(key);
    }
  }

  #evict(now: number): CookieRecord[] {
    const alive = [...this.#records.values()].filter((record) => isAlive(record, now));
    const excess = alive.sort((a, b) => a.stamp - b.stamp).slice(0, Math.max(0, alive.length - MAX_COOKIES));
    return excess.map((record) => {
      const grave = { ...record, value: "", expires: 0, stamp: record.stamp + 0.001 };
      this.#records.set(keyOf(record), grave);
      return grave;
    });
  }
}

/** Whether a record is still a cookie. */
export function isAlive(record: CookieRecord, now: number): boolean {
  return (record.expires ?? record.stamp + SESSION_MS) > now;
}

/** Whether `SameSite` lets a cookie go with a request. */
function mayGo({ sameSite }: CookieRecord, scope: CookieScope): boolean {
  switch (scope) {
    case "all":
      return true;
    case "cross-site-safe":
      return sameSite !== "strict";
    case "cross-site-unsafe":
      return sameSite === "none";
    case "none":
      return false;
  }
}

/** RFC 6265 section 5.1.4. */
function defaultPath(requestPath: string): string {
  const path = pathOf(requestPath);
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

function pathMatches(requestPath: string, cookiePath: string): boolean {
  const path = pathOf(requestPath);
  if (path === cookiePath) return true;
  return path.startsWith(cookiePath) && (cookiePath.endsWith("/") || path.charAt(cookiePath.length) === "/");
}

function pathOf(target: string): string {
  return target.split(/[?#]/, 1)[0] || "/";
}
