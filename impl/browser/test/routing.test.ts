/** Which tab serves a request: the service worker's side, with tabs made of message ports. */
import assert from "node:assert/strict";
import test from "node:test";
import type { FromServiceWorker, FromTunnel, ServiceWorkerToPage, ToTunnel } from "../src/port/messages.ts";
import type { TunnelError } from "../src/sw/exchange.ts";
import { type Asker, Owners } from "../src/sw/owners.ts";
import { Tunnel } from "../src/sw/tunnel.ts";

const request = { method: "GET", target: "/", fields: [], body: false, cookies: "all" as const };
const asker = (change: Partial<Asker> = {}): Asker => ({ page: "", newPage: "", referrer: "", keepalive: false, shell: undefined, ...change });

/** A tab: its shell as a client, and what its tunnel worker says to a request. */
class Tab {
  readonly type = "window";
  readonly frameType: string = "top-level";
  readonly url = "https://app.example/";
  readonly asked: Extract<ToTunnel, { t: "request" }>[] = [];
  readonly told: FromServiceWorker[] = [];
  taken = 0;
  readonly id: string;
  session: "open" | "connecting" | "stopped" | "silent";

  constructor(id: string, session: Tab["session"]) {
    this.id = id;
    this.session = session;
  }

  postMessage(message: FromServiceWorker, ports: MessagePort[] = []): void {
    this.told.push(message);
    const [port] = ports;
    if (message.type !== "serve" || !port) return;
    port.onmessage = (event: MessageEvent<ToTunnel>) => {
      const wish = event.data;
      if (this.session === "silent") return;
      const answer = (reply: FromTunnel): void => port.postMessage(reply);
      if (wish.t === "ping") answer({ t: "pong", token: wish.token });
      if (wish.t !== "request") return;
      this.asked.push(wish);
      const takes = this.session === "open" || (this.session === "connecting" && wish.patience !== "none");
      answer({ t: takes ? "ack" : "decline", id: wish.id });
      if (takes) this.taken += 1;
    };
    openPorts.push(port);
  }
}

/** A document of the app that knows its shell. */
class Page {
  readonly type = "window";
  readonly frameType = "nested";
  readonly id: string;
  readonly url: string;
  readonly #answer: (token: number) => void;

  constructor(id: string, url: string, answer: (token: number) => void) {
    this.id = id;
    this.url = url;
    this.#answer = answer;
  }

  postMessage(message: ServiceWorkerToPage): void {
    setTimeout(() => this.#answer(message.token), 0);
  }
}

const openPorts: MessagePort[] = [];
let clients: (Tab | Page)[] = [];
(globalThis as { self?: unknown }).self = {
  clients: {
    get: (id: string) => Promise.resolve(clients.find((client) => client.id === id)),
    matchAll: () => Promise.resolve(clients),
  },
};

/** Sends a request; says who took it. */
async function carrier(tunnel: Tunnel, who: Asker, method = "GET"): Promise<string> {
  for (const tab of tabs()) tab.taken = 0;
  const exchange = await tunnel.send({ ...request, method }, who);
  exchange.abort();
  return tabs().filter(({ taken }) => taken > 0).map(({ id }) => id).join();
}

const tabs = (): Tab[] => clients.filter((client) => client instanceof Tab);

test.after(() => {
  for (const port of openPorts) port.close();
});

test("a page's requests go through its own tab, and through another one only where that has no session", async () => {
  const [a, b] = [new Tab("A", "open"), new Tab("B", "open")];
  clients = [b, a];
  const owners = new Owners();
  const tunnel = new Tunnel(owners);
  owners.own("page-a", "A");
  assert.equal(await carrier(tunnel, asker({ page: "page-a" })), "A");
  a.session = "stopped";
  assert.equal(await carrier(tunnel, asker({ page: "page-a" })), "B");
  a.session = "open";
  assert.equal(await carrier(tunnel, asker({ page: "page-a" })), "A", "and back");
});

// BRO-016
test("a tab without a session is passed over at once", async () => {
  const [a, b] = [new Tab("A", "open"), new Tab("B", "stopped")];
  clients = [b, a];
  const began = Date.now();
  assert.equal(await carrier(new Tunnel(new Owners()), asker()), "A");
  assert.equal(await carrier(new Tunnel(new Owners()), asker(), "POST"), "A");
  assert.ok(Date.now() - began < 1_000);
  assert.ok(b.asked.every(({ patience }) => patience === "none"));
});

test("a tab that still connects keeps what is its own, and gets nothing of others", async () => {
  const [a, b] = [new Tab("A", "open"), new Tab("B", "connecting")];
  clients = [b, a];
  const owners = new Owners();
  const tunnel = new Tunnel(owners);
  owners.expect("B", "https://app.example/x#top", "shell");
  const { expected } = owners.begin("https://app.example/x", "", () => undefined);
  assert.equal(expected?.shell, "B");
  assert.equal(await carrier(tunnel, asker({ newPage: "page-b", shell: "B" })), "B");
  assert.equal(await carrier(tunnel, asker()), "A");
  assert.equal(await carrier(tunnel, asker({ page: "page-b" })), "B", "the document is remembered");
});

test("where no tab has a session and none will get one, the page hears of it at once", async () => {
  clients = [new Tab("A", "stopped"), new Tab("B", "stopped")];
  const began = Date.now();
  await assert.rejects(new Tunnel(new Owners()).send(request, asker()), (error: TunnelError) => error.code === "NO_SESSION");
  assert.ok(Date.now() - began < 1_000);
});

test("after a restart a page is asked whose it is", async () => {
  const [a, b] = [new Tab("A", "open"), new Tab("B", "open")];
  const owners = new Owners();
  clients = [b, a, new Page("page-a", "https://app.example/a", (token) => owners.answer(token, "A"))];
  const tunnel = new Tunnel(owners);
  assert.equal(await carrier(tunnel, asker({ page: "page-a" })), "A");
  assert.equal(await carrier(tunnel, asker({ referrer: "https://app.example/a" })), "A", "a frame in that page");
});

test("what a shell asks for goes through its own tab", async () => {
  clients = [new Tab("B", "open"), new Tab("A", "open")];
  assert.equal(await carrier(new Tunnel(new Owners()), asker({ page: "A" })), "A");
});

test("a page that cannot answer is served by any tab", async () => {
  clients = [new Tab("B", "open"), new Tab("A", "open"), new Page("page", "https://app.example/a", () => undefined)];
  assert.equal(await carrier(new Tunnel(new Owners()), asker({ page: "page" })), "B");
});

test("a navigation that another one takes the place of is ended", () => {
  const owners = new Owners();
  const ended: string[] = [];
  const begin = (url: string): void => {
    owners.expect("A", url, "app");
    owners.begin(url, "", () => ended.push(url));
  };
  begin("https://app.example/1");
  begin("https://app.example/2");
  owners.unexpect("A");
  assert.deepEqual(ended, ["https://app.example/1", "https://app.example/2"]);
  begin("https://app.example/3");
  assert.equal(owners.begin("https://app.example/3", "", () => undefined).expected, undefined, "it has begun already");
});

test("an announcement that comes behind its request is heard all the same", async () => {
  const owners = new Owners();
  const ended: string[] = [];
  const navigation = owners.begin("https://app.example/1", "", () => ended.push("1"));
  const announced = navigation.announced();
  owners.expect("A", "https://app.example/1#top", "app");
  await announced;
  assert.equal(navigation.expected?.shell, "A");
  owners.unexpect("A");
  assert.deepEqual(ended, ["1"]);
  const settled = owners.begin("https://app.example/2", "", () => ended.push("2"));
  owners.settle(settled);
  owners.expect("A", "https://app.example/2", "app");
  owners.unexpect("A");
  assert.deepEqual([settled.expected, ended.length], [undefined, 1]);
});

test("an announced navigation is followed through redirects", () => {
  const owners = new Owners();
  owners.expect("A", "https://app.example/1", "app");
  const begin = (url: string) => owners.begin(url, "", () => undefined);
  owners.settle(begin("https://app.example/1"), "https://app.example/2");
  assert.equal(begin("https://app.example/1").expected, undefined);
  const second = begin("https://app.example/2");
  assert.deepEqual([second.expected?.shell, second.expected?.url], ["A", "https://app.example/1"]);
  owners.settle(second);
  assert.equal(begin("https://app.example/2").expected, undefined);
});

test("only the tab whose frame asked hears that its document stays", async () => {
  const [a, b] = [new Tab("A", "open"), new Tab("B", "open")];
  clients = [b, a];
  const owners = new Owners();
  owners.expect("A", "https://app.example/file", "app");
  await owners.stays("https://app.example/file", owners.begin("https://app.example/file", "", () => undefined).expected);
  assert.deepEqual([a.told, b.told], [[{ p2claw: 1, type: "stays", url: "https://app.example/file" }], []]);
});
