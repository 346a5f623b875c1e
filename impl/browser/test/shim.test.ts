/** The shim in a window made of the few things that it looks at. */
import assert from "node:assert/strict";
import test from "node:test";
import { installAborts } from "../src/shim/aborts.ts";

const ORIGIN = "https://app.example";

interface Sent {
  url: string;
  init: RequestInit | undefined;
}

function install(): { sent: Sent[]; posted: { type: string; token: string }[]; answer: () => void } {
  const sent: Sent[] = [];
  const posted: { type: string; token: string }[] = [];
  let answer = (): void => undefined;
  const fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    sent.push({ url: input instanceof Request ? input.url : String(input), init });
    return new Promise((resolve) => (answer = () => resolve(new Response())));
  };
  class XMLHttpRequest extends EventTarget {
    open(_method: string, url: string): void {
      sent.push({ url, init: undefined });
    }
  }
  const window = { fetch, origin: ORIGIN };
  Object.assign(globalThis, { window, document: { baseURI: `${ORIGIN}/dir/` }, location: new URL(ORIGIN), XMLHttpRequest });
  installAborts({ controller: { postMessage: (message: { type: string; token: string }) => posted.push(message) } } as unknown as ServiceWorkerContainer);
  return { sent, posted, answer: () => answer() };
}

test("a fetch that can be aborted carries a token, and an abort before the response names it", async () => {
  const { sent, posted, answer } = install();
  const first = new AbortController();
  void window.fetch("x?y", { signal: first.signal, method: "POST", body: "b" });
  const token = sent[0]?.url.split("#p2claw-")[1];
  assert.equal(sent[0]?.url, `${ORIGIN}/dir/x?y#p2claw-${token}`);
  assert.deepEqual([sent[0]?.init?.method, sent[0]?.init?.body], ["POST", "b"], "all else is as it was");
  first.abort();
  assert.deepEqual(posted.map((message) => [message.type, message.token]), [["abandon", token]]);
  const second = new AbortController();
  const response = window.fetch(new Request(`${ORIGIN}/get`, { signal: second.signal, headers: { a: "b" } }));
  answer();
  await response;
  await new Promise((resolve) => setTimeout(resolve, 0));
  second.abort();
  assert.equal(posted.length, 1, "behind the head the body's reader is told by the browser");
});

test("requests that cannot be aborted, go elsewhere or have a fragment are left alone", () => {
  const { sent } = install();
  const { signal } = new AbortController();
  void window.fetch("plain");
  void window.fetch("https://other.example/", { signal });
  void window.fetch("/x#own", { signal });
  void window.fetch("/.well-known/p2claw/v1/x", { signal });
  void window.fetch(new Request(`${ORIGIN}/post`, { method: "POST", body: "x", signal }));
  void window.fetch("/aborted", { signal: AbortSignal.abort() });
  assert.deepEqual(sent.map(({ url }) => url), ["plain", "https://other.example/", "/x#own", "/.well-known/p2claw/v1/x", `${ORIGIN}/post`, "/aborted"]);
});

test("an aborted XMLHttpRequest names its token, too", () => {
  const { sent, posted } = install();
  const request = new XMLHttpRequest();
  request.open("GET", "/a");
  request.open("GET", "/b");
  request.dispatchEvent(new Event("abort"));
  assert.deepEqual(posted.map(({ token }) => `${ORIGIN}/b#p2claw-${token}`), [sent[1]?.url]);
  request.open("GET", "/sync", false);
  assert.equal(sent[2]?.url, "/sync");
});
