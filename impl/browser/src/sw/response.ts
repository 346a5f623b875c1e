/** Makes the response that the page sees out of what the agent sent. */
import type { FieldText } from "../port/messages.ts";
import { amendCsp } from "./csp.ts";
import type { ResponseHead } from "./exchange.ts";
import { declaredCharset, injectShim } from "./html.ts";
import { REDIRECTS } from "./navigation.ts";
import { shimElement } from "./pages.ts";

/** Statuses whose response has no body (Fetch standard, "null body status"). */
const BODILESS = new Set([204, 205, 304]);
/** Codings that the browser can undo here; a response built by a script is not decoded by itself. */
const DECODERS: Readonly<Record<string, CompressionFormat>> = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate" };
/** Said of a connection, or of a browser's own store, that the page does not have here. */
const DROPPED = new Set(["set-cookie", "clear-site-data", "strict-transport-security", "alt-svc"]);

export interface ResponseView {
  status: number;
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
}

/** Fields for the page: no more than BRO-010 and BRO-012 allow is changed. */
export function pageHeaders(fields: readonly FieldText[], shimHash: string): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) {
    if (DROPPED.has(name)) continue;
    const isPolicy = name === "content-security-policy" || name === "content-security-policy-report-only";
    if (name === "x-frame-options") headers.set(name, frameOptions(headers.get(name), value));
    else headers.append(name, isPolicy ? amendCsp(value, shimHash) : value);
  }
  return headers;
}

/**
 * The shell is of the app's own origin, so SAMEORIGIN lets it frame what DENY forbids to all. Two
 * different values would forbid it, too.
 */
function frameOptions(before: string | null, value: string): string {
  const deny = /^(deny|sameorigin)$/i;
  const words = `${before ?? ""},${value}`.split(",").map((word) => word.trim());
  return words.some((word) => deny.test(word)) ? "SAMEORIGIN" : value;
}

/** Decodes the body, leads redirects out of the frame, and puts the shim into documents. */
export async function pageResponse(
  request: { method: string; url: string; destination: string }, head: ResponseHead, body: ReadableStream<Uint8Array>, shimHash: string,
): Promise<ResponseView> {
  const { status } = head;
  const headers = pageHeaders(head.fields, shimHash);
  if (request.method === "HEAD" || BODILESS.has(status)) {
    // The others have none (SES-037); of a 205 the page takes none.
    if (status === 205) void body.cancel();
    return { status, headers, body: null };
  }
  if (REDIRECTS.has(status) && headers.has("location")) {
    void body.cancel();
    return { status, headers, body: null };
  }
  let content = body;
  const coding = headers.get("content-encoding")?.trim().toLowerCase();
  if (coding === "identity") headers.delete("content-encoding");
  else if (coding !== undefined && status !== 206) {
    const format = DECODERS[coding];
    if (!format) throw new TypeError(`the app answered in a content coding that nobody asked for: ${coding}`);
    content = content.pipeThrough(new DecompressionStream(format) as ReadableWritablePair<Uint8Array, Uint8Array>);
    headers.delete("content-encoding");
    headers.delete("content-length");
  }
  if (status !== 206 && isDocument(request.destination, headers)) {
    const type = headers.get("content-type") ?? "text/html";
    if (!/;\s*charset\s*=/i.test(type)) {
      const { charset, stream } = await peekCharset(content);
      content = stream;
      if (charset !== undefined) headers.set("content-type", `${type}; charset=${charset}`);
    }
    content = content.pipeThrough(injectShim(new TextEncoder().encode(shimElement)));
    headers.delete("content-length");
  }
  return { status, headers, body: content };
}

function isDocument(destination: string, headers: Headers): boolean {
  if (destination !== "iframe" && destination !== "frame" && destination !== "document") return false;
  if (/^\s*attachment/i.test(headers.get("content-disposition") ?? "")) return false;
  return /^\s*text\/html\s*(;|$)/i.test(headers.get("content-type") ?? "");
}

/** Waits for the first bytes only where the charset depends on them. */
async function peekCharset(body: ReadableStream<Uint8Array>): Promise<{ charset: string | undefined; stream: ReadableStream<Uint8Array> }> {
  const reader = body.getReader();
  const first = await reader.read();
  let pending = first.done ? undefined : first.value;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (pending) {
        controller.enqueue(pending);
        pending = undefined;
        return;
      }
      const next = first.done ? first : await reader.read();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return { charset: first.value && declaredCharset(first.value), stream };
}
