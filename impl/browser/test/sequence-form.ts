/** Frames and events of a session in the form of the vectors, and how they are compared. */
import assert from "node:assert/strict";
import { errorName } from "../src/session/errors.ts";
import type { SessionEvent } from "../src/session/event.ts";
import { toHex } from "./vector-file.ts";

/** A frame or an event in the form of the vectors. */
export type Thing = Record<string, unknown>;

export function plainEvent(event: SessionEvent): Thing | undefined {
  switch (event.kind) {
    case "open":
      return { event: "connected" };
    case "interim":
    case "response":
      return { event: "response", stream: String(event.stream), status: event.status };
    case "end":
      return { event: "end", stream: String(event.stream), trailers: event.trailers.map(({ name, value }) => [name, toHex(value)]) };
    case "close":
      return { event: "close", stream: String(event.stream), code: event.code || 1005, reason: event.reason };
    case "failed":
      return { event: "cut", stream: String(event.stream), code: errorName(event.code) };
    case "stopped":
      return { event: "stopped", stream: String(event.stream), code: errorName(event.code) };
    case "draining":
      return { event: "goaway" };
    case "closed":
      return { event: "closed", code: errorName(event.code) };
    default:
      return undefined;
  }
}

/** Joins bodies and messages, however they were cut. */
export function joinedFrames(frames: Thing[]): Thing[] {
  const result: Thing[] = [];
  for (const frame of frames) {
    const type = String(frame["type"]);
    const { stream } = frame;
    const payload = frame["payload"] as Uint8Array;
    const before = result.findLast((one) => one["stream"] === stream);
    if (type === "DATA" || type === "DATA_END") {
      const end = type === "DATA_END";
      if (before?.["type"] === "BODY") Object.assign(before, { content: join(before, payload), end });
      else result.push({ type: "BODY", stream, content: toHex(payload), end });
    } else if (/^WS_(TEXT|BINARY)/.test(type)) {
      const kind = type.startsWith("WS_TEXT") ? "text" : "binary";
      const whole = type.endsWith("_PART") ? "PARTS" : "MESSAGE";
      if (before?.["type"] === "PARTS") Object.assign(before, { type: whole, content: join(before, payload) });
      else result.push({ type: whole, stream, kind, content: toHex(payload) });
    } else {
      result.push(frame);
    }
  }
  return result;
}

const join = (before: Thing, bytes: Uint8Array): string => String(before["content"]) + toHex(bytes);

export function joinedEvents(events: Thing[], begun: Map<unknown, (string | Uint8Array)[]>): Thing[] {
  const result: Thing[] = [];
  for (const event of events) {
    const { stream } = event;
    const before = result.findLast((one) => one["stream"] === stream);
    if (event["event"] === "data") {
      const raw = event["raw"] as Uint8Array;
      if (before?.["event"] === "data") before["content"] = join(before, raw);
      else result.push({ event: "data", stream, content: toHex(raw) });
    } else if (event["event"] === "message") {
      const parts = [...(begun.get(stream) ?? []), event["data"] as string | Uint8Array];
      begun.set(stream, parts);
      if (!event["last"]) continue;
      begun.delete(stream);
      const kind = typeof event["data"] === "string" ? "text" : "binary";
      const content = parts.map((part) => toHex(typeof part === "string" ? new TextEncoder().encode(part) : part)).join("");
      result.push({ event: "message", stream, kind, content });
    } else {
      result.push(event);
    }
  }
  return result;
}

/** Whether everything that a vector says of a thing holds. */
function fits(seen: Thing, wanted: Thing): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    const content = String(seen["content"] ?? "");
    if (key === "hex") return content === value;
    if (key === "bytes") return content.length === 2 * Number(value);
    // What this client does not tell.
    if (key === "last_stream" && seen["event"] === "goaway") return true;
    if (key === "trailers") return JSON.stringify(seen[key]) === JSON.stringify(value);
    // A number, as such or as text; or a name.
    if (key === "code") return String(seen[key]).replace("code ", "") === String(value);
    return seen[key] === value;
  });
}

const shown = (things: Thing[]): string =>
  JSON.stringify(things.map(({ payload: _, content, ...thing }) => ({ ...thing, ...(content !== undefined && { bytes: String(content).length / 2, content: String(content).slice(0, 40) }) })));

/** Returns what was among the optional ones. */
export function matchAll(what: string, seen: Thing[], wanted: Thing[], optional: Thing[]): Thing[] {
  const left = [...seen];
  for (const one of wanted) {
    const at = left.findIndex((thing) => fits(thing, one));
    assert.ok(at >= 0, `${what}: ${JSON.stringify(one)} is missing among ${shown(seen)}`);
    left.splice(at, 1);
  }
  const extra = left.filter((thing) => !optional.some((one) => fits(thing, one)));
  assert.equal(extra.length, 0, `${what}: ${shown(extra)} besides ${shown(wanted)}`);
  return left;
}

export function matchInOrder(seen: Thing[], wanted: Thing[], optional: Thing[]): void {
  let next = 0;
  for (const thing of seen) {
    const one = wanted[next];
    if (one && fits(thing, one)) next += 1;
    else assert.ok(optional.some((other) => fits(thing, other)), `events: ${shown([thing])} in the place of ${JSON.stringify(one)}, all: ${shown(seen)}`);
  }
  assert.equal(next, wanted.length, `events: ${JSON.stringify(wanted[next])} is missing among ${shown(seen)}`);
}
