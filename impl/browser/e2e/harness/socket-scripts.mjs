// What pages do with WebSockets, in the words that a page can see of them.

/**
 * What a page can see of a WebSocket, line by line. Each runs twice, through the tunnel and with
 * nothing between browser and server, and has to see the same: the browser is the standard.
 */
export const SCRIPTS = {
  "an echo of every kind": `
    const socket = await open("/echo");
    for (const data of ["text", "", "Grüße, 世界 🍲", "\\ud800 alone", new Uint8Array([0, 255, 1]), new ArrayBuffer(0), new DataView(new Uint8Array([9, 8, 7, 6]).buffer, 1, 2), new Blob(["blob"]), new Blob([]), 5, null, { a: 1 }]) socket.send(data);
    note(socket.bufferedAmount);
    for (let n = 0; n < 12; n++) await show(await message(socket));
    note(socket.bufferedAmount, socket.extensions, socket.protocol);
    socket.close();
    await closed(socket);`,
  "what a server sends by itself": `
    const socket = await open("/kinds");
    socket.binaryType = "arraybuffer";
    for (let n = 0; n < 5; n++) await show(await message(socket));
    socket.close(1000, "enough");
    await closed(socket);`,
  "messages of a mebibyte and more": `
    const socket = await open("/echo");
    socket.binaryType = "arraybuffer";
    const text = "aé水🦀".repeat(150_000);
    const bytes = Uint8Array.from({ length: 3_000_001 }, (_, index) => index % 251);
    socket.send(text);
    socket.send(bytes);
    bytes.fill(0);
    socket.send(new Blob([text, "."]));
    note(socket.bufferedAmount);
    note((await message(socket)).data === text);
    const back = new Uint8Array((await message(socket)).data);
    note(back.length, back.every((byte, index) => byte === index % 251));
    note((await message(socket)).data.byteLength);
    note(socket.bufferedAmount);
    socket.close(3000);
    await closed(socket);`,
  "order, also with Blobs": `
    const socket = await open("/echo");
    const sent = Array.from({ length: 40 }, (_, n) => (n % 3 ? new Blob(["blob " + n]) : "text " + n));
    for (const one of sent) socket.send(one);
    for (const one of sent) { const { data } = await message(socket); note(typeof data === "string" ? data : await data.text()); }
    socket.close();
    await closed(socket);`,
  "subprotocols": `
    const socket = await open("/protocols", ["v1.chat", "v2.chat"]);
    note(socket.protocol);
    socket.close();
    await closed(socket);`,
  "a subprotocol that the server does not know": `
    const socket = watch(new WebSocket("/protocols", "none"));
    socket.onopen = () => socket.close();
    await closed(socket);`,
  "refusals": `
    for (const path of ["/refuse/403", "/refuse/200", "/refuse/404", "/hang-up"]) await closed(watch(new WebSocket(path)));`,
  "cookies of a refusal": `
    await closed(watch(new WebSocket("/refuse/403")));
    note(document.cookie.includes("refused=1"));`,
  "closes of the server": `
    for (const query of ["", "?code=1000&reason=done", "?code=4001&reason=Gr%C3%BC%C3%9Fe", "?code=1001", "?code=1011", "?code=3999"]) await closed(watch(new WebSocket("/close" + query)));
    const socket = watch(new WebSocket("/say-and-close?code=4002"));
    socket.addEventListener("message", ({ data }) => note(data, socket.readyState));
    await closed(socket);`,
  "closes of the page": `
    for (const parameters of [[], [1000], [4999, "bye"], [3000, ""], [1000, "é".repeat(61)], ["4000"]]) {
      const socket = await open("/echo");
      socket.send("last");
      note(socket.close(...parameters), socket.readyState);
      note(socket.close(4444));
      socket.send("too late");
      await closed(socket);
    }
    const socket = watch(new WebSocket("/echo"));
    socket.close();
    note(socket.readyState);
    await closed(socket);`,
  "what is closed hears no message": `
    const socket = await open("/echo");
    socket.onmessage = ({ data }) => note("heard", data);
    socket.send("x");
    socket.close();
    await closed(socket);`,
  "an upstream that breaks off": `
    const socket = await open("/kill");
    socket.send("x");
    await closed(socket);`,
  "mistakes": `
    const tries = [() => new WebSocket("ws://"), () => new WebSocket("ftp://x"), () => new WebSocket("/a#b"), () => new WebSocket("/a#"), () => new WebSocket("/a", ["x", "x"]), () => new WebSocket("/a", "a b"), () => new WebSocket("/a", [""]), () => new WebSocket(), () => WebSocket("/a"), () => new WebSocket("/a", "a,b")];
    const socket = await open("/echo");
    for (const code of [0, 999, 1001, 1005, 1006, 1015, 2999, 5000, 70000, null, NaN, -1]) tries.push(() => socket.close(code));
    tries.push(() => socket.close(1000, "é".repeat(62)), () => socket.send(), () => socket.send(Symbol("x")));
    tries.push(() => new WebSocket("/echo").send("x"));
    for (const one of tries) try { note(String(one()), "no mistake"); } catch (error) { note(error.name, error.code, error instanceof DOMException); }
    note(socket.readyState, socket.bufferedAmount);
    socket.close();
    await closed(socket);`,
  "the class": `
    note(WebSocket.name, WebSocket.length, WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED);
    note(Object.getOwnPropertyNames(WebSocket.prototype).sort().join(), Object.getPrototypeOf(WebSocket) === EventTarget);
    const socket = await open("/echo");
    note(socket instanceof WebSocket, socket instanceof EventTarget, socket.constructor === WebSocket, Object.prototype.toString.call(socket), Object.keys(socket).length, "readyState" in socket);
    note(socket.binaryType, (socket.binaryType = "nonsense", socket.binaryType), socket.OPEN, socket.url.startsWith("ws://"));
    class Own extends WebSocket { constructor(url) { super(url); this.own = true; } get double() { return 2 * this.readyState; } send(data) { super.send("own " + data); } }
    const own = new Own("/echo");
    await new Promise((resolve) => (own.onopen = resolve));
    note(own instanceof Own, own instanceof WebSocket, own.own, own.double);
    own.send("x");
    await show(await message(own));
    own.close();
    await closed(own);
    const elsewhere = new Own("ws://127.0.0.1:9/");
    note(elsewhere instanceof Own, elsewhere.url, elsewhere.readyState);
    await closed(watch(elsewhere));
    socket.close();
    await closed(socket);`,
  "handlers and listeners": `
    const socket = await open("/echo");
    note(socket.onmessage, socket.onclose);
    socket.onmessage = () => note("first");
    socket.addEventListener("message", () => note("listener"));
    const settled = async () => { await message(socket); await new Promise((resolve) => setTimeout(resolve)); };
    socket.onmessage = function (event) { note("second", this === socket, event.target === socket, event.currentTarget === socket, event instanceof MessageEvent); };
    socket.addEventListener("message", { handleEvent: () => note("object") }, { once: true });
    socket.send("a");
    await settled();
    socket.onmessage = null;
    note(socket.onmessage, (socket.onmessage = 5, socket.onmessage), typeof (socket.onmessage = {}, socket.onmessage));
    socket.onmessage = () => note("third");
    socket.send("b");
    await settled();
    socket.close();
    await closed(socket);`,
  "addresses": `
    const { host } = location;
    for (const address of ["/echo", "echo", "?x", "//" + host + "/echo?a=b&c=%20", "http://" + host + "/echo", "ws://" + host, new URL("/echo", location.href)]) {
      const socket = watch(new WebSocket(address));
      await new Promise((resolve) => (socket.onopen = resolve));
      socket.close();
      await closed(socket);
    }`,
};

/** Runs a script in a page, and returns what it noted. */
export function run(frame, script) {
  return frame.evaluate(async (source) => {
    const lines = [];
    const host = location.host;
    const note = (...values) => lines.push(values.map((value) => String(value).replaceAll(host, "host")).join(" "));
    const watch = (socket) => {
      note("url", socket.url, "state", socket.readyState);
      for (const type of ["open", "error", "close"]) {
        socket.addEventListener(type, (event) => note(type, socket.readyState, event.code, event.reason, event.wasClean, event.cancelable, event.bubbles, event.constructor.name));
      }
      return socket;
    };
    const open = (url, protocols) =>
      new Promise((resolve, reject) => {
        const socket = watch(new WebSocket(url, protocols));
        socket.addEventListener("open", () => resolve(socket));
        socket.addEventListener("error", () => reject(new Error(`${url} did not open`)));
        // Messages that come before anybody waits for them.
        socket.inbox = [];
        socket.addEventListener("message", (event) => (socket.wanted ? socket.wanted(event) : socket.inbox.push(event)));
      });
    const message = async (socket) => {
      if (!socket.inbox) return new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
      const event = socket.inbox.shift() ?? (await new Promise((resolve) => (socket.wanted = resolve)));
      socket.wanted = undefined;
      return event;
    };
    const closed = (socket) => new Promise((resolve) => (socket.readyState === 3 ? resolve() : socket.addEventListener("close", resolve)));
    const show = async ({ data, origin, lastEventId, source: from, ports }) => {
      const content = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data instanceof ArrayBuffer ? new Uint8Array(data) : JSON.stringify(data);
      note(data.constructor.name, content, origin, lastEventId, from, ports.length);
    };
    const AsyncFunction = (async () => {}).constructor;
    try {
      await new AsyncFunction("note", "watch", "open", "message", "closed", "show", source)(note, watch, open, message, closed, show);
    } catch (error) {
      note("failed", error.stack);
    }
    return lines;
  }, script);
}
