// One visit with Chromium, for conformance/tests/kernel: opens the app, downloads, and says in lines
// of JSON how far it is; the last one has the path and the hash.
import { launch, Visitor } from "../harness/browser.mjs";
import { until } from "../harness/poll.mjs";

const { url, spki, bytes } = JSON.parse(process.argv[2]);

/** Runs in the page before its scripts: keeps every connection. */
function keepConnections() {
  const Native = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) {
      super(configuration);
      window.connections.push(this);
    }
  };
}

/** The kinds of the two candidates that the newest connection uses. */
async function path() {
  const stats = await window.connections.at(-1)?.getStats();
  for (const report of stats?.values() ?? []) {
    if (report.type !== "transport" || !report.selectedCandidatePairId) continue;
    const pair = stats.get(report.selectedCandidatePairId);
    const local = stats.get(pair.localCandidateId);
    return { local: local.candidateType, protocol: local.relayProtocol, remote: stats.get(pair.remoteCandidateId)?.candidateType };
  }
  return undefined;
}

/** Runs in the app. */
async function download(total) {
  const response = await fetch(`/download?bytes=${total}`);
  const reader = response.body.getReader();
  const body = new Uint8Array(total);
  let received = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    body.set(value, received);
    received += value.length;
    window.heard(received);
  }
  const digest = await crypto.subtle.digest("SHA-256", body.subarray(0, received));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const browser = await launch([`--ignore-certificate-errors-spki-list=${spki}`]);
try {
  const visitor = new Visitor(await browser.newContext());
  await visitor.context.addInitScript(keepConnections);
  await visitor.context.exposeFunction("heard", (received) => say({ received }));
  const began = performance.now();
  const visit = await visitor.visit(url);
  const app = await visit.app();
  const first_byte_ms = performance.now() - began;
  const sha256 = await app.evaluate(download, bytes);
  say({ path: await until("the path in use", () => visit.page.evaluate(path)), first_byte_ms, sha256 });
} finally {
  await browser.close();
}
