// Scenarios that fail in one browser, or on one WebRTC stack, for a reason that is not ours. They run
// all the same: one that passes after all is reported as a failure, so that its entry goes.
//
// `browser` and `rtc` say where it fails; without one of them, with each. `upstream` is where those
// who could mend it talk about it: a bug of Mozilla's, or an issue of the standard that leaves it open.

import { LOOPBACK, OUTER } from "./harness/udp-path.mjs";

const NO_ROUTE = "Firefox gives a page the addresses of its default routes only, and this machine has none";

export const KNOWN_FAILURES = [
  {
    browser: "firefox",
    file: "navigation",
    name: "a page that the visitor decides not to leave keeps its address",
    reason: "Firefox does not abort the signal of a NavigateEvent when the visitor stays, so the address bar keeps the address that was left for",
    upstream: "Mozilla bug 2040963, whatwg/html#12779",
  },
  {
    browser: "firefox",
    file: "navigation",
    name: "a page whose load is stopped leaves the one before it in place",
    reason: "Firefox tells neither the page (signal of the NavigateEvent) nor the service worker (signal of the request) that a load was stopped",
    upstream: "w3c/ServiceWorker#1544",
  },
  ...[
    "a download and a WebSocket go on over a new direct path when the one they had is lost",
    "a restart that somebody else answers is refused, and the session goes on over the path that it finds next",
  ].filter(() => OUTER === LOOPBACK).map((name) => ({ browser: "firefox", file: "restart", name, reason: NO_ROUTE, upstream: "RFC 8828 section 5.2" })),
  {
    browser: "firefox",
    file: "upstream",
    name: "a reader that stalls holds up neither others nor the upstream's data",
    reason: "Firefox takes a service worker's answer without end, whatever its page reads of it",
    upstream: "whatwg/fetch#257",
  },
  {
    browser: "firefox",
    file: "websocket",
    name: "a subprotocol that the server does not know: the same as without a tunnel (BRO-021)",
    reason: "Firefox opens a WebSocket whose server chose none of the subprotocols, where the WebSockets standard makes it fail",
    upstream: "Mozilla bug 1727118",
  },
  {
    browser: "firefox",
    file: "websocket",
    name: "cookies of a refusal: the same as without a tunnel (BRO-021)",
    reason: "Firefox keeps the cookies of a refused handshake, and Chromium does not; the client does as Chromium",
    upstream: "whatwg/fetch#514, whatwg/websockets#40",
  },
  {
    browser: "firefox",
    file: "websocket",
    name: "isolated pages have WebSockets as well (BRO-020)",
    reason: "Firefox has no Document-Isolation-Policy",
    upstream: "Mozilla bug 2063367, mozilla/standards-positions#1074",
  },
];
