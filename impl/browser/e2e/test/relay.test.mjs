// No direct path: everything goes through the demo's TURN relay.
import assert from "node:assert/strict";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { noise, sha256 } from "../harness/noise.mjs";

const MIB = 1024 * 1024;
const demo = shared(() => startDemo());

/** Runs in the page before its scripts: keeps every connection, and forbids all but relays by this transport. */
function relayOnly(transport) {
  const Native = window.RTCPeerConnection;
  window.connections = [];
  const only = ({ iceServers = [], ...rest } = {}) => {
    const by = (server) => ({ ...server, urls: [server.urls].flat().filter((url) => url.endsWith(`transport=${transport}`)) });
    const relays = iceServers.map(by).filter(({ urls }) => urls.length > 0);
    return { ...rest, iceServers: relays, iceTransportPolicy: "relay" };
  };
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      super(only(configuration));
      window.connections.push(this);
    }
    setConfiguration(configuration) {
      super.setConfiguration(only(configuration));
    }
  };
}

/** The kinds of the two candidates in use. */
async function path() {
  for (const connection of window.connections) {
    const stats = await connection.getStats();
    for (const report of stats.values()) {
      if (report.type !== "transport" || !report.selectedCandidatePairId) continue;
      const pair = stats.get(report.selectedCandidatePairId);
      const local = stats.get(pair.localCandidateId);
      return { local: local.candidateType, protocol: local.relayProtocol, remote: stats.get(pair.remoteCandidateId)?.candidateType };
    }
  }
  return undefined;
}

// RTC-016
for (const transport of ["udp", "tcp"]) {
  scenario(`the page opens through the relay over ${transport}`, async (scene) => {
    const visitor = await scene.visitor();
    await visitor.context.addInitScript(relayOnly, transport);
    const visit = await visitor.visit(demo.it.url);
    const app = await visit.app("#notes li");
    const used = await until("the path in use", () => visit.page.evaluate(path));
    scene.note(`path: ${JSON.stringify(used)}`);
    assert.equal(used.local, "relay");
    assert.equal(used.protocol, transport);
    const hex = await app.evaluate(async (bytes) => {
      const body = await (await fetch(`/download?bytes=${bytes}`)).arrayBuffer();
      const digest = await crypto.subtle.digest("SHA-256", body);
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }, 5 * MIB);
    assert.equal(hex, sha256(noise(5 * MIB)));
  });
}

scenario("a visitor who may choose takes the direct path", async (scene) => {
  const visitor = await scene.visitor();
  await visitor.context.addInitScript(() => {
    const Native = window.RTCPeerConnection;
    window.connections = [];
    window.RTCPeerConnection = class extends Native {
      constructor(configuration) {
        super(configuration);
        window.connections.push(this);
      }
    };
  });
  const visit = await visitor.visit(demo.it.url);
  // What answers first carries first, and that may be a relay.
  const used = await until("a direct path to be preferred", async () => {
    const used = await visit.page.evaluate(path);
    return used && used.local !== "relay" && used.remote !== "relay" && used;
  });
  scene.note(`path: ${JSON.stringify(used)}`);
});
