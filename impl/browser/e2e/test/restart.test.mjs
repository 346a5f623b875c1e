// The path is lost while things are under way: ICE is restarted, and nobody loses anything.
import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { Liar, detour, swapFingerprint } from "../harness/liar.mjs";
import { Pieces, startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { noise, sha256 } from "../harness/noise.mjs";
import { Sockets } from "../harness/sockets.mjs";
import { OUTER, UdpPath } from "../harness/udp-path.mjs";
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
const liar = new Liar();
const pieces = shared(async () => {
  const running = await new Pieces().start({ viaProxy: (coordPort) => liar.start(coordPort) });
  const stop = async () => {
    await running.stop();
    liar.stop();
  };
  return { url: await running.expose("moving", upstream.port), stop };
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

/** Begins a download and opens a WebSocket, and returns how far the download is. */
async function begin(app) {
  await app.evaluate(async (total) => {
    window.socket = new WebSocket("/echo");
    await new Promise((resolve) => (window.socket.onopen = resolve));
    window.received = 0;
    const read = async () => {
      const whole = new Uint8Array(total);
      const reader = (await fetch("/noise")).body.getReader();
      for (let step = await reader.read(); !step.done; step = await reader.read()) {
        whole.set(step.value, window.received);
        window.received += step.value.length;
      }
      const digest = await crypto.subtle.digest("SHA-256", whole);
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    window.outcome = read().catch((error) => `${error.name}: ${error.message}`);
  }, DOWNLOAD);
  return () => app.evaluate(() => window.received);
}

/** Loses `path` in the middle of a download, and insists that nothing else is lost. */
async function survives(scene, visit, path, kind) {
  const app = await visit.app("#hello");
  await until("the path to be told", async () => (await shellPath(visit)) === kind);
  const before = { requests: upstream.requests.length, handshakes: sockets.handshakes.length };
  const received = await begin(app);
  await until("a part of the download", async () => (await received()) > 4 * MIB, { every: 10 });
  const began = Date.now();
  const passed = () => `after ${Date.now() - began} ms`;
  assert.ok(path.lose() > 0);
  await until("the path to be lost", async () => (await shellPath(visit)) === "lost", { timeout: 40_000 });
  scene.note(`the browser saw ${passed()} that the path was lost`);
  const come = await received();
  assert.ok(come < DOWNLOAD, "the download was under way");
  await until("another path", async () => (await shellPath(visit)) === kind, { timeout: 40_000 });
  scene.note(`there was another path ${passed()}`);
  await until("the download to go on", async () => (await received()) > come, { timeout: 40_000 });
  scene.note(`the download went on ${passed()}`);
  assert.equal(await app.evaluate(() => window.outcome), sha256(noise(DOWNLOAD)));
  const echo = await app.evaluate(() => new Promise((resolve) => {
    window.socket.onmessage = ({ data }) => resolve(data);
    window.socket.onclose = ({ code }) => resolve(`closed with ${code}`);
    window.socket.send("still here");
  }));
  assert.equal(echo, "still here");
  assert.deepEqual(upstream.requests.slice(before.requests).map(({ url }) => url).filter((url) => url === "/noise"), ["/noise"], "nothing was asked for twice");
  assert.equal(sockets.handshakes.length, before.handshakes + 1);
  assert.equal((await visit.shell()).state, "open");
}

// RTC-016, RTC-019, RTC-020, SES-063, SIG-043
scenario("a download and a WebSocket go on over a new relayed path when the one they had is lost", async (scene) => {
  const path = await new UdpPath().start({ target: await relayPort() });
  scene.finally(() => path.stop());
  const visitor = await scene.visitor();
  await visitor.context.addInitScript(relayBehind, path.port);
  const visit = await visitor.visit(demo.it.url);
  await until("the visitor to be told", async () => /through a relay/.test((await visit.shell()).text));
  await survives(scene, visit, path, "relayed-udp");
}, { timeout: 150_000 });

// RTC-019, RTC-020, SES-063, SIG-043
scenario("a download and a WebSocket go on over a new direct path when the one they had is lost", async (scene) => {
  const path = await new UdpPath().start({ host: OUTER });
  scene.finally(() => path.stop());
  liar.lie = detour(path);
  await survives(scene, await scene.visit(pieces.it.url), path, "direct");
}, { timeout: 150_000 });

// SIG-046
scenario("a restart that somebody else answers is refused, and the session goes on over the path that it finds next", async (scene) => {
  const path = await new UdpPath().start({ host: OUTER });
  scene.finally(() => path.stop());
  liar.lie = detour(path);
  const visit = await scene.visit(pieces.it.url);
  const app = await visit.app("#hello");
  const answers = liar.recorded.length;
  const { cancelled } = liar;
  liar.lie = (answer) => swapFingerprint(detour(path)(answer));
  path.lose();
  await until("an answer to a restart", () => liar.recorded.length > answers, { timeout: 40_000 });
  await until("the restart to be given up", () => liar.cancelled > cancelled, { timeout: 40_000 });
  assert.equal((await visit.shell()).state, "open", "nothing is shown to be wrong");
  assert.equal(await shellPath(visit), "lost", "nothing is taken over");
  liar.lie = detour(path);
  await until("another path", async () => (await shellPath(visit)) === "direct", { timeout: 40_000 });
  assert.equal(await app.evaluate(async () => (await fetch("/after")).status), 200);
}, { timeout: 150_000 });
