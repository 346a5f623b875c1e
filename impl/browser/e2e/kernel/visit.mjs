// One visit with Chromium, for conformance/tests/kernel: opens the app, downloads, and says in a line
// of JSON which path that took, how long, and the hash of what came. A visit may begin through a
// relay and go on directly: where a direct path is expected, the download waits for it a while.
import { Visitor } from "../harness/browser.mjs";
import { launch } from "../harness/engine.mjs";
import { until } from "../harness/poll.mjs";

const { url, spki, bytes, direct } = JSON.parse(process.argv[2]);

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
    return { local: local.candidateType, remote: stats.get(pair.remoteCandidateId)?.candidateType };
  }
  return undefined;
}

function isRelayed({ local, remote }) {
  return local === "relay" || remote === "relay";
}

/** Runs in the app. */
async function download(total) {
  const response = await fetch(`/download?bytes=${total}`);
  const digest = await crypto.subtle.digest("SHA-256", await response.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const browser = await launch({ flags: [`--ignore-certificate-errors-spki-list=${spki}`] });
try {
  const visitor = new Visitor(await browser.newContext());
  await visitor.context.addInitScript(keepConnections);
  const began = performance.now();
  const visit = await visitor.visit(url);
  const app = await visit.app();
  const first_byte_ms = performance.now() - began;
  const used = () => visit.page.evaluate(path);
  if (direct) await until("a direct path", async () => !isRelayed(await used()), { timeout: 10_000 }).catch(() => {});
  const sha256 = await app.evaluate(download, bytes);
  const total_ms = performance.now() - began;
  const relayed = isRelayed(await until("the path in use", used));
  process.stdout.write(`${JSON.stringify({ relayed, first_byte_ms, total_ms, sha256 })}\n`);
} finally {
  await browser.close();
}
