// The path is lost while things are under way: ICE is restarted, and nobody loses anything.
import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { noise, sha256 } from "../harness/noise.mjs";
import { Sockets } from "../harness/sockets.mjs";
import { UdpPath } from "../harness/udp-path.mjs";
import { Upstream } from "../harness/upstream.mjs";

const MIB = 1024 * 1024;
const DOWNLOAD = 24 * MIB;

const upstream = new Upstream((request, response) => {
  if (request.url !== "/noise") return false;
  response.end(noise(DOWNLOAD));
  return true;
});
const sockets = new Sockets();
const demo = shared(async () => {
  await upstream.listen();
  sockets.attach(upstream);
  const running = await startDemo("--upstream", `127.0.0.1:${upstream.port}`);
  const stop = async () => {
    await running.stop();
    await upstream.stop();
  };
  return { ...running, stop };
});

/** The port of the demo's relay. */
async function relayPort() {
  const { host, port } = new URL(demo.it.url);
  const [response] = await once(get({ host: "127.0.0.1", port, path: "/.well-known/p2claw/v1/ice-servers", headers: { host } }), "response");
  const servers = Buffer.concat(await response.toArray()).toString("latin1");
  return Number(/turn:127\.0\.0\.1:(\d+)/.exec(servers)[1]);
}

/** Runs in the page before its scripts: the only path is by the relay, whose port is another one. */
function relayBehind(port) {
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy: "relay" });
    }
    setConfiguration({ iceServers, ...rest }) {
      const behind = iceServers.map((server) => ({ ...server, urls: `turn:127.0.0.1:${port}?transport=udp` }));
      super.setConfiguration({ ...rest, iceServers: behind, iceTransportPolicy: "relay" });
    }
  };
}

const shellPath = (visit) => visit.page.evaluate(() => document.documentElement.dataset.p2clawPath);

// RTC-019, RTC-020, SES-063, SIG-043
scenario("a download and a WebSocket go on when the path is lost and ICE has found another one", async (scene) => {
  const path = await new UdpPath().start(await relayPort());
  scene.finally(() => path.stop());
  const visitor = await scene.visitor();
  await visitor.context.addInitScript(relayBehind, path.port);
  const visit = await visitor.visit(demo.it.url);
  const app = await visit.app("#hello");
  await until("the path to be told", async () => (await shellPath(visit)) === "relayed-udp");
  assert.match((await visit.shell()).text, /through a relay/, "a visitor knows of the relay");
  await app.evaluate(async (total) => {
    window.socket = new WebSocket("/echo");
    await new Promise((resolve) => (window.socket.onopen = resolve));
    window.received = 0;
    const read = async () => {
      const whole = new Uint8Array(total);
      const response = await fetch("/noise");
      for await (const chunk of response.body) {
        whole.set(chunk, window.received);
        window.received += chunk.length;
      }
      const digest = await crypto.subtle.digest("SHA-256", whole);
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    window.outcome = read().catch((error) => `${error.name}: ${error.message}`);
  }, DOWNLOAD);
  const received = () => app.evaluate(() => window.received);
  await until("a part of the download", async () => (await received()) > 4 * MIB, { every: 10 });
  assert.ok(path.lose() > 0);
  const began = Date.now();
  await until("the path to be lost", async () => (await shellPath(visit)) === "lost");
  scene.note(`the browser saw after ${Date.now() - began} ms that the path was lost`);
  const before = await received();
  assert.ok(before < DOWNLOAD, "the download was under way");
  await until("another path", async () => (await shellPath(visit)) === "relayed-udp", { timeout: 25_000 });
  scene.note(`there was another path after ${Date.now() - began} ms`);
  await until("the download to go on", async () => (await received()) > before, { timeout: 25_000 });
  scene.note(`the download went on after ${Date.now() - began} ms`);
  assert.equal(await app.evaluate(() => window.outcome), sha256(noise(DOWNLOAD)));
  const echo = await app.evaluate(() => new Promise((resolve) => {
    window.socket.onmessage = ({ data }) => resolve(data);
    window.socket.onclose = ({ code }) => resolve(`closed with ${code}`);
    window.socket.send("still here");
  }));
  assert.equal(echo, "still here");
  assert.equal(upstream.requests.filter(({ url }) => url === "/noise").length, 1, "nothing was asked for twice");
  assert.equal(sockets.handshakes.length, 1);
  assert.equal((await visit.shell()).state, "open");
}, { timeout: 100_000 });
