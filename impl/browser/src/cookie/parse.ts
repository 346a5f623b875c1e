/** Parsing of `Set-Cookie` and of cookie dates (RFC 6265bis section 5). */

import { Limit } from "../codec/registry.ts";
import type { SameSite } from "../port/messages.ts";

/** What one `Set-Cookie` line, or one write to `document.cookie`, asks for. */
export interface SetCookie {
  name: string;
  value: string;
  /** Unix milliseconds; `null` for a session cookie. */
  expires: number | null;
  path: string | undefined;
  domain: string | undefined;
  secure: boolean;
  httpOnly: boolean;
  /** `undefined` where nothing that is known was said. */
  sameSite: SameSite | undefined;
}

const MAX_ATTRIBUTE = 1_024;
/** No cookie outlives this (RFC 6265bis section 5.5). */
const MAX_AGE_MS = 400 * 24 * 3_600_000;

const SAME_SITE: readonly SameSite[] = ["strict", "lax", "none"];

const BLANK = " \t";
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Takes spaces and tabs away around a text, and none of the other characters that `trim` of strings takes. */
function trim(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && BLANK.includes(text.charAt(from))) from++;
  while (from < to && BLANK.includes(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/** `undefined` where the line has to be ignored. */
export function parseSetCookie(line: string, now: number): SetCookie | undefined {
  if (CONTROL.test(line)) return undefined;
  const [pair = "", ...attributes] = line.split(";");
  const equals = pair.indexOf("=");
  const name = trim(equals < 0 ? "" : pair.slice(0, equals));
  const value = trim(equals < 0 ? pair : pair.slice(equals + 1));
  if (name === "" && (value === "" || /^__(secure|host)-/i.test(value))) return undefined;
  if (name.length + value.length > Limit.COOKIE_MAX) return undefined;
  const cookie: SetCookie = { name, value, expires: null, path: undefined, domain: undefined, secure: false, httpOnly: false, sameSite: undefined };
  let maxAge: number | undefined;
  let date: number | undefined;
  for (const attribute of attributes) {
    const at = attribute.indexOf("=");
    const key = trim(at < 0 ? attribute : attribute.slice(0, at)).toLowerCase();
    const text = at < 0 ? "" : trim(attribute.slice(at + 1));
    if (text.length > MAX_ATTRIBUTE) continue;
    if (key === "expires") date = parseCookieDate(text) ?? date;
    else if (key === "max-age" && /^-?\d+$/.test(text)) maxAge = Number(text);
    else if (key === "domain") cookie.domain = text.replace(/^\./, "").toLowerCase() || undefined;
    else if (key === "path") cookie.path = text.startsWith("/") ? text : undefined;
    else if (key === "secure") cookie.secure = true;
    else if (key === "httponly") cookie.httpOnly = true;
    else if (key === "samesite") cookie.sameSite = SAME_SITE.find((one) => one === text.toLowerCase());
  }
  if (maxAge !== undefined) cookie.expires = maxAge <= 0 ? 0 : now + maxAge * 1_000;
  else if (date !== undefined) cookie.expires = date;
  if (cookie.expires !== null) cookie.expires = Math.min(cookie.expires, now + MAX_AGE_MS);
  return cookie;
}

const MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec";

/** A cookie date in any of the forms that servers write; Unix milliseconds. */
export function parseCookieDate(text: string): number | undefined {
  let time: number[] | undefined;
  let day: number | undefined;
  let month: number | undefined;
  let year: number | undefined;
  for (const token of text.split(/[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+/)) {
    const clock = /^(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$)/.exec(token);
    if (!time && clock) time = clock.slice(1).map(Number);
    else if (day === undefined && /^\d{1,2}(?:\D|$)/.test(token)) day = Number.parseInt(token, 10);
    else if (month === undefined && /^[a-z]{3}/i.test(token) && MONTHS.indexOf(token.slice(0, 3).toLowerCase()) % 3 === 0) {
      month = MONTHS.indexOf(token.slice(0, 3).toLowerCase()) / 3;
    } else if (year === undefined && /^\d{2,4}(?:\D|$)/.test(token)) year = Number.parseInt(token, 10);
  }
  if (!time || day === undefined || month === undefined || year === undefined) return undefined;
  if (year >= 70 && year <= 99) year += 1900;
  else if (year <= 69) year += 2000;
  const [hours = 24, minutes = 60, seconds = 60] = time;
  if (day < 1 || day > 31 || year < 1601 || hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const result = new Date(Date.UTC(year, month, day, hours, minutes, seconds));
  return result.getUTCDate() === day ? result.getTime() : undefined;
}
