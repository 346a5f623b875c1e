import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { launch } from "./harness/browser.mjs";
const server = createServer((q, r) => r.setHeader("content-type","text/html").end("<!doctype html><h1>x</h1>"));
const wss = new WebSocketServer({ noServer: true, handleProtocols: (p) => p.has("none") ? false : [...p][0] });
server.on("upgrade", (q, s, h) => {
  const u = new URL(q.url, "http://x");
  
  if (u.pathname === "/403") { s.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"); return; }
  if (u.pathname === "/200") { s.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"); return; }
  wss.handleUpgrade(q, s, h, (ws) => {
    
    if (u.pathname === "/close") ws.close(Number(u.searchParams.get("code")) || undefined, "bye");
    if (u.pathname === "/kill") ws.on("message", () => s.destroy());
    if (u.pathname === "/bad") ws.on("message", () => s.write(Buffer.from([0x81, 0x02, 0xc3, 0x28])));
    if (u.pathname === "/echo") ws.on("message", (d, b) => ws.send(d, { binary: b }));
  });
});
await new Promise((r) => server.listen(0, "127.0.0.1", r));
const b = await launch(); const page = await (await b.newContext()).newPage();
page.on("console", (m) => console.log("console", m.type(), m.text()));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const run = (path, protocols, act) => page.evaluate(async ([path, protocols, act]) => {
  const log = []; const ws = new WebSocket(path, protocols);
  for (const t of ["open","error","message","close"]) ws.addEventListener(t, (e) => log.push([t, ws.readyState, e.code, e.reason, e.wasClean, e.data, e.origin].filter((x) => x !== undefined).join(" ")));
  const done = new Promise((r) => ws.addEventListener("close", r));
  new Function("ws", "log", act)(ws, log);
  await Promise.race([done, new Promise((r) => setTimeout(r, 4000))]);
  return [path, ...log, ws.url, ws.protocol];
}, [path, protocols, act]).then((x) => console.log(JSON.stringify(x)), (e) => console.log(path, e.message.split("\n")[0]));

console.log(await page.evaluate(async () => {
  const out = [];
  const open = (...a) => new Promise((r) => { const w = new WebSocket(...a); w.onopen = () => r(w); w.onerror = () => r(w); });
  for (const args of [[undefined, "x"], [1000.4], [null], ["4000"], [4999.5], [1001], [2999], [5000], [NaN], [1000, "é".repeat(62)], [1000, "é".repeat(61)+"x"], [undefined, "é".repeat(62)], [1000, null], [1e9], [undefined, ""], [4000.5], [4001.5]]) {
    const w = await open("/echo");
    try { const c = new Promise((r) => { w.onclose = r; }); w.close(...args); const e = await Promise.race([c, new Promise(r => setTimeout(r, 1000))]); out.push([String(args), e?.code, e?.reason]); } catch (e) { out.push([String(args).slice(0,20), e.name, e.message]); w.close(); }
  }
  for (const args of [["ws://"], ["ftp://x"], ["/a#b"], ["/a#"], ["/a", ["x","x"]], ["/a", "a b"], ["/a", ""], ["/a", [""]], ["/a", null], ["/a", []], ["/a", "a,b"], ["/a", {}], ["/a", new Set(["q"])], ["about:blank"], ["", []], ["http://127.0.0.1:1/x"], ["//" + location.host + "/y"]]) {
    try { const w = new WebSocket(...args); out.push([JSON.stringify(args), w.url]); w.close(); } catch (e) { out.push([JSON.stringify(args), e.name, e.message, e.code]); }
  }
  try { WebSocket("/") } catch (e) { out.push(e.name + e.message) }
  try { new WebSocket() } catch (e) { out.push(e.name + e.message) }
  { const w = await open("/echo"); 
    for (const d of [undefined, null, 5, {}, [1,2], Symbol.iterator, new Uint8Array(3), new DataView(new ArrayBuffer(4)), new Blob(["abc"]), "\ud800x"]) { try { w.send(d); out.push(["sent", String(d?.constructor?.name), w.bufferedAmount]) } catch (e) { out.push([e.name, e.message]) } }
    try { w.send() } catch (e) { out.push([e.name, e.message]) }
    w.binaryType = "arraybuffer"; w.binaryType = "nope"; out.push(w.binaryType);
    const got = []; w.onmessage = (e) => { got.push([typeof e.data, e.data?.byteLength ?? e.data, e.origin, e.lastEventId, e.source, e.ports.length]); }; await new Promise(r => setTimeout(r, 300)); out.push(JSON.stringify(got)); out.push(w.bufferedAmount);
    w.onclose = {}; out.push(typeof w.onclose); w.onclose = 5; out.push(w.onclose); out.push(Object.prototype.toString.call(w), Object.keys(w).join(), w.OPEN);
    out.push(JSON.stringify(Object.getOwnPropertyDescriptor(window, "WebSocket")), String(WebSocket), WebSocket.name, new Proxy(WebSocket, {}).toString === undefined);
    try { out.push(String(new Proxy(WebSocket, {}))) } catch (e) { out.push(e.message) }
  }
  { const w = new WebSocket("/echo"); try { w.send("x") } catch (e) { out.push([e.name, e.message, e.code]) } }
  return out.map((x) => JSON.stringify(x)).join("\n");
}));
console.log(await page.evaluate(() => [typeof WebSocketStream, Object.getOwnPropertyNames(WebSocket.prototype).join(), Object.getOwnPropertyNames(WebSocket).join(), WebSocket.length]));
await page.evaluate(() => { const ws = new WebSocket("/echo?leave"); return new Promise(r => ws.onopen = r); });
await page.goto("about:blank"); await new Promise((r) => setTimeout(r, 500));
await b.close(); server.close(); process.exit();
