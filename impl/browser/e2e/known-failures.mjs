// Scenarios that fail in one browser, or on one WebRTC stack, for a reason that is not ours. They run
// all the same: one that passes after all is reported as a failure, so that its entry goes.
//
// `browser` and `rtc` say where it fails; without one of them, with each. Upstream issues are named
// where there is one that we know of.

import { LOOPBACK, OUTER } from "./harness/udp-path.mjs";

const NO_ROUTE = "Firefox gives a page the addresses of its default routes only, and this machine has none";

export const KNOWN_FAILURES = [
  {
    browser: "firefox",
    file: "navigation",
    name: "a page that the visitor decides not to leave keeps its address",
    reason: "Firefox does not abort the signal of a NavigateEvent when the visitor stays, so the address bar keeps the address that was left for",
  },
  {
    browser: "firefox",
    file: "navigation",
    name: "a page whose load is stopped leaves the one before it in place",
    reason: "Firefox tells neither the page (signal of the NavigateEvent) nor the service worker (signal of the request) that a load was stopped",
  },
  ...[
    "a download and a WebSocket go on over a new direct path when the one they had is lost",
    "a restart that somebody else answers is refused, and the session goes on over the path that it finds next",
  ].filter(() => OUTER === LOOPBACK).map((name) => ({ browser: "firefox", file: "restart", name, reason: NO_ROUTE })),
  {
    browser: "firefox",
    file: "upstream",
    name: "a reader that stalls holds up neither others nor the upstream's data",
    reason: "Firefox takes a service worker's answer without end, whatever its page reads of it",
  },
  {
    browser: "firefox",
    file: "websocket",
    name: "a subprotocol that the server does not know: the same as without a tunnel (BRO-021)",
    reason: "Firefox opens a WebSocket whose server chose none of the subprotocols, where the WebSockets standard makes it fail",
  },
  {
    browser: "firefox",
    file: "websocket",
    name: "cookies of a refusal: the same as without a tunnel (BRO-021)",
    reason: "Firefox keeps the cookies of a refused handshake, and Chromium does not; the client does as Chromium",
  },
  {
    browser: "firefox",
    file: "websocket",
    name: "isolated pages have WebSockets as well (BRO-020)",
    reason: "Firefox has no Document-Isolation-Policy",
  },
];
