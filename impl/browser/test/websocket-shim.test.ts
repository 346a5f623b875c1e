/** The page's `WebSocket` (BRO-020 to BRO-024), with the test as the tunnel worker. */
import assert from "node:assert/strict";
import test from "node:test";
import { type FromSocket, PORT_WINDOW } from "../src/port/messages.ts";
import { type Loose, NativeWebSocket, install, listen, logged, open, settled } from "./socket-window.ts";

const named = (name: string) => (error: unknown): boolean => error instanceof DOMException && error.name === name;

test("addresses of the app's own host go through the tunnel, in whatever form (BRO-020)", async () => {
  const { window, tunnels } = install();
  const cases: [string | URL, string, string][] = [
    ["/a?b=c", "wss://app.example:8443/a?b=c", "/a?b=c"],
    ["a b", "wss://app.example:8443/dir/a%20b", "/dir/a%20b"],
    ["", "wss://app.example:8443/dir/page", "/dir/page"],
    ["//app.example:8443/x", "wss://app.example:8443/x", "/x"],
    ["wss://app.example:8443", "wss://app.example:8443/", "/"],
    ["ws://app.example:8443/x", "ws://app.example:8443/x", "/x"],
    ["http://app.example:8443/x", "ws://app.example:8443/x", "/x"],
    [new URL("https://APP.example:8443/x"), "wss://app.example:8443/x", "/x"],
  ];
  for (const [address, url, target] of cases) {
    const socket = new window.WebSocket(address, "v1");
    assert.deepEqual([socket.url, socket.readyState, socket.protocol, socket.extensions, socket.bufferedAmount, socket.binaryType], [url, 0, "", "", 0, "blob"]);
    await settled();
    assert.deepEqual(tunnels.at(-1)?.heard, [{ t: "open", target, protocols: ["v1"] }]);
  }
  assert.deepEqual(NativeWebSocket.asked, []);
});

test("other hosts, our own paths and mistakes are the browser's affair (BRO-020, BRO-021)", () => {
  const { window, tunnels } = install();
  for (const address of ["wss://other.example/", "wss://app.example/", "wss://app.example:8444/", "/.well-known/p2claw/v1/x", "https://app.example.evil:8443/"]) {
    const socket = new window.WebSocket(address, "x");
    assert.deepEqual([socket.url, socket.extensions, NativeWebSocket.asked.pop()], [address, "native", [address, "x"]]);
  }
  for (const address of ["https://", "/x#y", "/x#"]) assert.throws(() => new window.WebSocket(address), named("SyntaxError"), address);
  for (const protocols of [["a", "a"], "a b", [""], "a,b"]) {
    void new window.WebSocket("/x", protocols);
    assert.equal(NativeWebSocket.asked.pop()?.[1], protocols, "the browser says what is wrong");
  }
  assert.deepEqual(tunnels, []);
  assert.equal((window as { WebSocketStream?: unknown }).WebSocketStream, undefined);
  const sandboxed = install({ origin: "null" });
  void new sandboxed.window.WebSocket("/x");
  assert.equal(NativeWebSocket.asked.length, 1);
});

test("subprotocols are a text or anything that can be walked through (BRO-021)", async () => {
  const { window, tunnels } = install();
  for (const [given, asked] of [[undefined, []], ["a", ["a"]], [["a", "b"], ["a", "b"]], [new Set(["c"]), ["c"]], [null, ["null"]], [[], []]] as const) {
    void new window.WebSocket("/", given as unknown as string[]);
    await settled();
    const [first] = tunnels.at(-1)?.heard ?? [];
    assert.deepEqual(first?.t === "open" && first.protocols, asked);
  }
});

test("both kinds are of one class, which can be extended (BRO-021)", async () => {
  const { window, tunnels } = install();
  const { WebSocket } = window;
  const [own, other] = [new WebSocket("/"), new WebSocket("wss://other.example/")];
  for (const socket of [own, other]) {
    assert.ok(socket instanceof WebSocket && socket instanceof EventTarget);
    assert.equal(Object.getPrototypeOf(socket), WebSocket.prototype);
    assert.equal(socket.constructor, WebSocket);
    assert.deepEqual(Object.keys(socket).filter((key) => key !== "calls"), []);
  }
  assert.deepEqual([WebSocket.name, WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED], ["WebSocket", 0, 1, 2, 3]);
  assert.throws(() => (WebSocket as unknown as () => void)(), TypeError);
  class Extended extends WebSocket {
    override send(data: string): void {
      super.send(`<${data}>`);
    }
  }
  const extended = new Extended("/");
  await tunnels.at(-1)?.say({ t: "accepted", protocol: "" });
  extended.send("x");
  await settled();
  assert.ok(extended instanceof Extended && extended instanceof WebSocket);
  assert.deepEqual(tunnels.at(-1)?.messages(), [[true, "<x>"]]);
  const elsewhere = new Extended("wss://other.example/");
  elsewhere.send("x");
  const handler = (): void => undefined;
  elsewhere.onopen = handler;
  elsewhere.binaryType = "arraybuffer";
  elsewhere.close(1000, "y");
  assert.deepEqual([(elsewhere as unknown as { calls: unknown }).calls, elsewhere.binaryType, elsewhere.onopen], [[["send", "<x>"], ["close", 1000, "y"]], "arraybuffer", handler]);
});

test("it opens with the subprotocol that was chosen (BRO-021)", async () => {
  const { socket, events } = await open("v1.chat");
  assert.deepEqual([socket.readyState, socket.protocol, events], [1, "v1.chat", [["open", 1]]]);
});

test("what is sent is as it was at that moment, in order, with Blobs between (BRO-021)", async () => {
  const { socket, tunnel } = await open();
  const bytes = Uint8Array.of(0, 65, 66, 67, 0);
  socket.send("a\ud800é");
  socket.send(new Blob(["one"]));
  socket.send(bytes.subarray(1, 3));
  socket.send(bytes.buffer.slice(1, 4));
  socket.send(new DataView(bytes.buffer, 3, 1));
  socket.send(new Blob([]));
  socket.send("");
  for (const odd of [5, null, undefined, {}, [1, 2]]) socket.send(odd);
  assert.equal(socket.bufferedAmount, 6 + 3 + 2 + 3 + 1 + 1 + 4 + 9 + 15 + 3);
  bytes.fill(90);
  await settled();
  await settled();
  assert.deepEqual(tunnel.messages(), [
    [true, Buffer.from("a\ufffdé").toString("latin1")], [false, "one"], [false, "AB"], [false, "ABC"], [false, "C"], [false, ""], [true, ""],
    [true, "5"], [true, "null"], [true, "undefined"], [true, "[object Object]"], [true, "1,2"],
  ]);
});

test("long messages go on as fast as they leave, and bufferedAmount falls with them (BRO-023)", async () => {
  const { socket, tunnel } = await open();
  const long = Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 251);
  socket.send(long);
  socket.send(new Blob([long]));
  socket.send("end");
  socket.close(1000);
  const handed = (): number => tunnel.heard.reduce((sum, message) => sum + (message.t === "message" ? message.bytes.length : 0), 0);
  await settled();
  assert.ok(handed() >= PORT_WINDOW && handed() <= PORT_WINDOW + 65_536, `${handed()} bytes wait in the tunnel worker`);
  assert.equal(socket.bufferedAmount, 2_000_003);
  for (let reported = 0; reported < 2_000_003; ) {
    const bytes = handed() - reported;
    reported += bytes;
    await tunnel.say({ t: "sent", bytes });
    await settled();
    assert.equal(socket.bufferedAmount, 2_000_003 - reported);
  }
  const [first, second, third] = tunnel.messages();
  assert.deepEqual([first?.[0], second?.[0], third], [false, false, [true, "end"]]);
  assert.ok(first?.[1] === Buffer.from(long).toString("latin1") && second?.[1] === first[1]);
  assert.deepEqual(tunnel.last(), { t: "close", code: 1000, reason: "" }, "the close goes last");
});

test("messages come whole, in the form that was asked for (BRO-021, WSK-013)", async () => {
  const { socket, tunnel, events } = await open();
  await tunnel.say({ t: "message", data: "te", last: false, charge: 66 }, { t: "message", data: "xt", last: true, charge: 66 }, { t: "message", data: "", last: true, charge: 64 });
  assert.deepEqual(events.slice(1), [["message", 1, "text"], ["message", 1, ""]]);
  const parts: FromSocket[] = [{ t: "message", data: Uint8Array.of(1, 2), last: false, charge: 66 }, { t: "message", data: Uint8Array.of(3), last: true, charge: 65 }];
  await tunnel.say(...parts);
  const blob = events.at(-1)?.[2];
  assert.ok(blob instanceof Blob);
  assert.deepEqual([...new Uint8Array(await blob.arrayBuffer())], [1, 2, 3]);
  socket.binaryType = "arraybuffer";
  (socket as { binaryType: string }).binaryType = "nonsense";
  assert.equal(socket.binaryType, "arraybuffer");
  let origin = "";
  socket.onmessage = (event) => (origin = event.origin);
  await tunnel.say(...parts);
  const buffer = events.at(-1)?.[2];
  assert.ok(buffer instanceof ArrayBuffer);
  assert.deepEqual([[...new Uint8Array(buffer)], origin], [[1, 2, 3], "wss://app.example:8443"]);
});

test("what the page has taken is told, and nothing before (BRO-023)", async () => {
  const { socket, tunnel } = await open();
  let during: number | undefined;
  const taken = (): number => tunnel.heard.reduce((sum, message) => sum + (message.t === "taken" ? message.charge : 0), 0);
  socket.onmessage = () => (during ??= taken());
  await tunnel.say({ t: "message", data: "x", last: true, charge: 40_000 });
  assert.deepEqual([during, taken()], [0, 40_000]);
  for (let i = 0; i < 20; i++) await tunnel.say({ t: "message", data: new Uint8Array(9_936), last: false, charge: 10_000 });
  assert.ok(taken() >= 200_000, "parts of a message that is not whole do not stop it");
});

test("a message that is too long fails the WebSocket, and the app hears 1009 (BRO-021, WSK-021)", async () => {
  const { tunnel, events } = await open();
  // The text is not held twice: each part is the same.
  const part = "x".repeat(33_554_432);
  for (let i = 0; i < 8; i++) await tunnel.say({ t: "message", data: part, last: false, charge: 1 });
  assert.equal(events.length, 1);
  await tunnel.say({ t: "message", data: "x", last: false, charge: 1 });
  assert.deepEqual(events.slice(1), [["error", 3], ["close", 3, 1006, "", false]]);
  await settled();
  assert.deepEqual(tunnel.last(), { t: "close", code: 1009, reason: "" });
});

test("a close of the page waits for the other end's, and drops what still comes (BRO-021, WSK-022)", async () => {
  const { socket, tunnel, events } = await open();
  socket.close(4000, "done ✓");
  socket.close(4001);
  socket.send("late");
  assert.deepEqual([socket.readyState, socket.bufferedAmount], [2, 4]);
  await tunnel.say({ t: "message", data: "crossing", last: true, charge: 72 });
  assert.deepEqual(tunnel.heard.slice(1), [{ t: "close", code: 4000, reason: "done ✓" }]);
  await tunnel.say({ t: "closed", code: 4000, reason: "so be it", clean: true });
  assert.deepEqual(events.slice(1), [["close", 3, 4000, "so be it", true]]);
  socket.close();
  await tunnel.say({ t: "closed", code: 1000, reason: "", clean: true });
  assert.equal(events.length, 2);
});

test("codes of closes: none, those of the page, and none for what no page may say (BRO-021, WSK-020)", async () => {
  for (const [parameters, code, reason] of [[[], 0, ""], [[undefined], 0, ""], [[1000], 1000, ""], [[3000.2, "x"], 3000, "x"], [["4999", null], 4999, "null"], [[undefined, "why"], 1000, "why"], [[1000, "\ud800"], 1000, "\ufffd"]] as const) {
    const { socket, tunnel } = await open();
    socket.close(...parameters);
    await settled();
    assert.deepEqual(tunnel.last(), { t: "close", code, reason });
  }
  const { socket } = await open();
  for (const code of [0, 1, 999, 1001, 1005, 2999, 5000, 70_000, -1, Number.NaN, null, "x"]) assert.throws(() => socket.close(code), named("InvalidAccessError"), String(code));
  assert.throws(() => socket.close(1000, "é".repeat(62)), named("SyntaxError"));
  assert.equal(socket.readyState, 1);
});

test("closes that were not asked for say what happened (BRO-021, WSK-022)", async () => {
  const clean = await open();
  await clean.tunnel.say({ t: "closed", code: 1005, reason: "", clean: true });
  assert.deepEqual(clean.events.slice(1), [["close", 3, 1005, "", true]]);
  const cut = await open();
  await cut.tunnel.say({ t: "closed", code: 1006, reason: "", clean: false });
  assert.deepEqual(cut.events.slice(1), [["close", 3, 1006, "", false]], "no error, as where a connection breaks");
  assert.deepEqual(logged, []);
  const failed = await open();
  await failed.tunnel.say({ t: "closed", code: 1006, reason: "", clean: false, failed: "why" });
  assert.deepEqual(failed.events.slice(1), [["error", 3], ["close", 3, 1006, "", false]]);
  assert.deepEqual(logged, [["WebSocket connection to 'wss://app.example:8443/chat' failed: why"]]);
  failed.socket.send("x");
  assert.equal(failed.socket.bufferedAmount, 1, "it goes nowhere, and does not fall");
});

test("who has not opened can neither send nor close cleanly (BRO-021, BRO-024)", async () => {
  const { window, tunnels } = install();
  const socket = new window.WebSocket("/") as unknown as Loose;
  const events = listen(socket);
  assert.throws(() => socket.send("x"), named("InvalidStateError"));
  assert.throws(() => socket.send(), TypeError);
  assert.throws(() => socket.send(Symbol("x")), TypeError);
  socket.close();
  assert.deepEqual([socket.readyState, events], [2, []], "the page hears of it later");
  await settled();
  await tunnels[0]?.say({ t: "accepted", protocol: "" });
  assert.deepEqual(events, [["error", 3], ["close", 3, 1006, "", false]]);
  assert.equal(tunnels[0]?.last()?.t, "gone");
});

test("without a way to the tunnel it fails, later (BRO-021)", async () => {
  const { window } = install({ reachable: false });
  const socket = new window.WebSocket("/") as unknown as Loose;
  const events = listen(socket);
  await settled();
  assert.deepEqual(events, [["error", 3], ["close", 3, 1006, "", false]]);
  assert.match(String(logged[0]), /reload the tab/);
});

test("a tunnel worker that is gone is the end of its WebSockets (WSK-022)", async () => {
  const { tunnel, events } = await open();
  tunnel.close();
  await settled();
  assert.deepEqual(events.slice(1), [["close", 3, 1006, "", false]]);
  const { window, tunnels } = install();
  const early = listen(new window.WebSocket("/") as unknown as Loose);
  tunnels[0]?.close();
  await settled();
  assert.deepEqual(early, [["error", 3], ["close", 3, 1006, "", false]]);
});

test("a page that is left says so for each of its WebSockets that is not over (BRO-024)", async () => {
  const { window, tunnels, leave } = install();
  for (let n = 0; n < 3; n++) void new window.WebSocket("/");
  await tunnels[0]?.say({ t: "accepted", protocol: "" });
  await tunnels[1]?.say({ t: "closed", code: 1006, reason: "", clean: false });
  leave();
  await settled();
  assert.deepEqual(tunnels.map((tunnel) => tunnel.last()?.t), ["gone", "open", "gone"]);
});

test("handlers stand where they were set first, and one that was taken away comes last (BRO-021)", async () => {
  const { socket, tunnel } = await open();
  const heard: string[] = [];
  const say = async (): Promise<string[]> => {
    heard.length = 0;
    await tunnel.say({ t: "message", data: "x", last: true, charge: 65 });
    return [...heard];
  };
  assert.equal(socket.onmessage, null);
  socket.onmessage = () => heard.push("old");
  socket.addEventListener("message", () => heard.push("listener"));
  socket.onmessage = function (event) {
    heard.push(`handler ${(this as unknown) === socket} ${event.target === (socket as unknown)}`);
  };
  assert.deepEqual(await say(), ["handler true true", "listener"]);
  socket.onmessage = null;
  assert.deepEqual([await say(), socket.onmessage], [["listener"], null]);
  socket.onmessage = () => heard.push("again");
  assert.deepEqual(await say(), ["listener", "again"]);
  (socket as { onmessage: unknown }).onmessage = 5;
  assert.equal(socket.onmessage, null);
  const odd = {};
  (socket as { onmessage: unknown }).onmessage = odd;
  assert.equal(socket.onmessage, odd);
  assert.deepEqual(await say(), ["listener"]);
});

test("a Blob that cannot be read fails the WebSocket (BRO-021)", async () => {
  const { socket, tunnel, events } = await open();
  const broken = new Blob(["abc"]);
  broken.slice = () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }) as unknown as Blob;
  socket.send(broken);
  socket.send("behind it");
  await settled();
  assert.deepEqual(events.slice(1), [["error", 3], ["close", 3, 1006, "", false]]);
  assert.deepEqual(tunnel.heard.map(({ t }) => t), ["open", "gone"]);
});
