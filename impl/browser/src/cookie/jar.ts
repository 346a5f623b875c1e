/**
 * The app's cookies. They are never cookies of the browser, which would send them to the edge
 * (BRO-011). Shell and tunnel worker each hold a copy; of two records for one cookie the later holds.
 *
 * All requests that reach the jar come from the app's own pages on its own origin, so `SameSite` has
 * nothing to decide; the origin is secure, so `Secure` holds always; and no parent domain is accepted
 * in `Domain`, because the parent is a public suffix.
 */
import type { CookieRecord } from "../port/messages.ts";
import { type SetCookie, parseSetCookie } from "./parse.ts";

/** Cookies kept per origin, the oldest go first; browsers keep about as many. */
const MAX_COOKIES = 180;
/**
 * Session cookies end this long after their last change. A page cannot learn when the browser's
 * session ends, and a reload must not log anybody out.
 */
const SESSION_MS = 24 * 3_600_000;

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
      created: old && isAlive(old, now) ? old.created : now,
      stamp: Math.max(now, (old?.stamp ?? 0) + 0.001),
    };
    this.#records.set(keyOf(record), record);
    return [record, ...this.#evict(now)];
  }

  /** Takes what another copy of the jar has changed. */
  merge(records: readonly CookieRecord[]): void {
    for (const record of records) {
      const old = this.#records.get(keyOf(record));
      if (!old || record.stamp > old.stamp) this.#records.set(keyOf(record), record);
    }
  }

  /** The value of `Cookie`, or of `document.cookie`; "" where there is none. */
  get(requestPath: string, now: number, forScript: boolean): string {
    return [...this.#records.values()]
      .filter((record) => isAlive(record, now) && pathMatches(requestPath, record.path) && !(forScript && record.httpOnly))
      .sort((a, b) => b.path.length - a.path.length || a.created - b.created)
      .map(({ name, value }) => (name === "" ? value : `${name}=${value}`))
      .join("; ");
  }

  #acceptable(cookie: SetCookie, fromScript: boolean): boolean {
    if (fromScript && cookie.httpOnly) return false;
    if (cookie.domain !== undefined && cookie.domain !== this.#host) return false;
    if (/^__secure-/i.test(cookie.name) && !cookie.secure) return false;
    if (/^__host-/i.test(cookie.name) && (!cookie.secure || cookie.path !== "/" || cookie.domain !== undefined)) return false;
    return true;
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
