/** Navigations of the app's frame that do not end in a document of the app there. */
import type { ResponseHead } from "./exchange.ts";

/** Statuses that lead elsewhere when a Location is with them. */
export const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Where a response redirects to. */
export function redirectOf(url: string, head: ResponseHead): string | undefined {
  const location = REDIRECTS.has(head.status) ? head.fields.find(([name]) => name === "location")?.[1] : undefined;
  return location !== undefined && URL.canParse(location, url) ? new URL(location, url).href : undefined;
}

/** Where a navigation in a frame is sent away from the app's origin: a place for the whole tab. */
export function leavesOrigin(request: { method: string; url: string; destination: string }, head: ResponseHead): string | undefined {
  if (request.destination !== "iframe") return undefined;
  // The body of a form would have to go along.
  if ((head.status === 307 || head.status === 308) && request.method !== "GET") return undefined;
  const location = redirectOf(request.url, head);
  if (location === undefined) return undefined;
  const target = new URL(location);
  const isWeb = target.protocol === "https:" || target.protocol === "http:";
  return isWeb && target.origin !== new URL(request.url).origin ? target.href : undefined;
}

/** Types that browsers show in a frame; everything else is saved. */
const SHOWN = /^(text\/(?!calendar|csv|vcard)|image\/|audio\/|video\/|multipart\/|application\/(json|javascript|xml|pdf)\b|application\/[^;]*\+(xml|json)\b)/i;

/** Whether a navigation in a frame leaves the frame's document where it is. */
export function keepsDocument(request: { destination: string }, head: ResponseHead): boolean {
  if (request.destination !== "iframe" || REDIRECTS.has(head.status)) return false;
  if (head.status === 204 || head.status === 205) return true;
  const field = (wanted: string): string | undefined => head.fields.find(([name]) => name === wanted)?.[1].trim();
  if (/^attachment\b/i.test(field("content-disposition") ?? "")) return true;
  // Without a type the browser looks at the bytes.
  const type = field("content-type") ?? "";
  return type !== "" && !SHOWN.test(type);
}
