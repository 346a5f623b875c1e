/** The head of the extended CONNECT that opens a WebSocket, as the app would get it from a browser. */
import type { Field } from "../codec/session-messages.ts";
import { type Environment, acceptLanguage } from "../port/environment.ts";
import { SUBPROTOCOL } from "../session/websocket.ts";

/** Fields of the request; `cookie` is "" where there is none. */
export function handshakeFields({ origin, userAgent, languages }: Environment, protocols: readonly string[], cookie: string): Field[] {
  const utf8 = new TextEncoder();
  const texts = {
    pragma: "no-cache",
    "cache-control": "no-cache",
    "user-agent": userAgent,
    origin,
    "accept-language": acceptLanguage(languages),
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "websocket",
    "sec-fetch-dest": "websocket",
    [SUBPROTOCOL]: protocols.join(", "),
    cookie,
  };
  return Object.entries(texts).filter(([, text]) => text !== "").map(([name, text]) => ({ name, value: utf8.encode(text) }));
}
