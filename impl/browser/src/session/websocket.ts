/** Rules of WebSockets over a session (spec/v1/websocket.md), as far as a visitor needs them. */
import { FrameType, Limit, OtherCloseCode, TRAVELLING } from "../codec/registry.ts";
import type { Field, Response, WsClose } from "../codec/session-messages.ts";
import { valueText } from "./fields.ts";

/** The protocol of an extended CONNECT that opens a WebSocket (WSK-001). */
export const WEBSOCKET = "websocket";
/** Field of the subprotocols, in both directions (RFC 6455 section 11.3.4). */
export const SUBPROTOCOL = "sec-websocket-protocol";

/** Fields that belong to one connection only (WSK-002). */
const OF_ONE_CONNECTION: ReadonlySet<string> = new Set([
  "sec-websocket-key", "sec-websocket-accept", "sec-websocket-version", "sec-websocket-extensions", "content-length",
]);

/** What a frame counts against credit (SES-040). */
export function chargeOf(type: number, bytes: number): number {
  switch (type) {
    case FrameType.DATA:
    case FrameType.DATA_END:
      return bytes;
    case FrameType.WS_TEXT:
    case FrameType.WS_TEXT_PART:
    case FrameType.WS_BINARY:
    case FrameType.WS_BINARY_PART:
      return bytes + Limit.MESSAGE_CHARGE;
    default:
      return 0;
  }
}

/** The subprotocols that a request asks for. */
export function askedSubprotocols(fields: readonly Field[]): string[] {
  return subprotocols(fields).flatMap((value) => value.split(",").map((name) => name.trim()));
}

/** The subprotocol that a response names; "" for none. */
export function chosenSubprotocol(fields: readonly Field[]): string {
  return subprotocols(fields).join(", ");
}

const subprotocols = (fields: readonly Field[]): string[] => fields.filter(({ name }) => name === SUBPROTOCOL).map(({ value }) => valueText(value));

/** Why the head of a WebSocket may not be sent or accepted; `undefined` where it may (WSK-002). */
export function handshakeFault(fields: readonly Field[]): string | undefined {
  const misplaced = fields.find(({ name }) => OF_ONE_CONNECTION.has(name));
  return misplaced && `${misplaced.name} has no place in the head of a WebSocket`;
}

/** Why a final response below 300 does not open the WebSocket; `undefined` where it does (WSK-006). */
export function acceptFault({ status, fields, end }: Response, asked: readonly string[]): string | undefined {
  if (status !== 200 || end) return "a WebSocket is accepted by status 200 alone, and without end";
  const [chosen, ...more] = subprotocols(fields);
  if (chosen !== undefined && (more.length > 0 || !asked.includes(chosen))) return "a subprotocol that was not asked for";
  return handshakeFault(fields);
}

/** Why a WS_CLOSE may not be sent or accepted; `undefined` where it may (WSK-020). */
export function closeFault({ code, reason }: WsClose): string | undefined {
  if (code === 0) return reason === "" ? undefined : "a reason without a close code";
  if (!TRAVELLING.includes(code) && (code < OtherCloseCode.MIN || code > OtherCloseCode.MAX)) return `close code ${code} is none that travels`;
  return new TextEncoder().encode(reason).length > Limit.CLOSE_REASON_MAX ? "a close reason that is too long" : undefined;
}
