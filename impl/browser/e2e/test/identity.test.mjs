// A coordination service that lies about the agent gets nobody to believe it.
import assert from "node:assert/strict";
import { honest, Liar, replay, signAnew, spoilSignature, swapFingerprint } from "../harness/liar.mjs";
import { Pieces } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { Upstream } from "../harness/upstream.mjs";

const liar = new Liar();
const upstream = new Upstream();
const pieces = shared(async () => {
  await upstream.listen();
  const running = await new Pieces().start({ viaProxy: (coordPort) => liar.start(coordPort) });
  running.url = await running.expose("vault", upstream.port);
  running.peerId = (await running.identity()).peer_id;
  const stop = async () => {
    await running.stop();
    liar.stop();
    await upstream.stop();
  };
  const restartAgent = async () => {
    await running.agent.stop();
    running.startAgent();
  };
  return { url: running.url, peerId: running.peerId, restartAgent, stop };
});

/** Opens the app while coord is honest; returns the visitor, who now has the agent's key pinned. */
async function acquainted(scene) {
  liar.lie = honest;
  const visitor = await scene.visitor();
  const visit = await visitor.visit(pieces.it.url);
  await visit.app("#hello");
  await visit.page.close();
  return visitor;
}

/** Opens the app while coord lies, and insists that the visitor is told and the app is not reached. */
async function refused(visitor, lie, reason, url = pieces.it.url) {
  liar.lie = lie;
  const before = upstream.requests.length;
  const answers = liar.recorded.length;
  const visit = await visitor.visit(url, "refused");
  assert.ok(liar.recorded.length > answers, "the visitor did get an answer");
  const shell = await visit.shell();
  assert.match(shell.reason, reason);
  assert.ok(shell.text.trim().length > 40, `the page explains: ${shell.text}`);
  assert.match(shell.text, /identity|key|sign|prove|proof|imperson|pretend/i);
  const app = visit.frame;
  const shown = app ? await app.evaluate(() => ({ text: document.body?.innerText ?? "", seen: innerWidth > 0 && document.getElementById("hello") !== null })) : { text: "", seen: false };
  assert.deepEqual(shown, { text: "", seen: false }, "nothing of the app is shown");
  // It must not give in when asked again.
  await visit.page.reload({ waitUntil: "commit" });
  await visit.settled("refused");
  assert.equal(upstream.requests.length, before, "the app saw no request");
  liar.lie = honest;
  return visit;
}

// BRO-001, BRO-002, IDN-019
scenario("an honest answer through the same proxy is accepted", async (scene) => {
  const visitor = await acquainted(scene);
  await (await visitor.visit(pieces.it.url)).app("#hello");
  const linked = await scene.visit(`${pieces.it.url}#p=${pieces.it.peerId}`);
  await linked.app("#hello");
  await linked.at("/");
});

// IDN-017, IDN-018
scenario("another DTLS fingerprint is refused", async (scene) => {
  await refused(await scene.visitor(), swapFingerprint, /fingerprint/i);
  await refused(await acquainted(scene), swapFingerprint, /fingerprint/i);
});

// IDN-016, IDN-017, IDN-018
scenario("an old answer is refused", async (scene) => {
  const visitor = await acquainted(scene);
  const old = liar.recorded.at(-1);
  await refused(visitor, replay(old), /nonce/i);
  await refused(await scene.visitor(), replay(old), /nonce/i);
});

// IDN-017, IDN-020, SEC-002
scenario("another key is refused once the visitor knows the right one", async (scene) => {
  const visitor = await acquainted(scene);
  const visit = await refused(visitor, signAnew(), /pin/i);
  // The right agent is let in again afterwards: the lie has not replaced what was known.
  await visit.goto(pieces.it.url);
  await visit.app("#hello");
});

// IDN-019, BRO-001
scenario("another key is refused at the first visit when the link names the right one", async (scene) => {
  await refused(await scene.visitor(), signAnew(), /pin/i, `${pieces.it.url}#p=${pieces.it.peerId}`);
});

// IDN-019
scenario("a link that names another key is refused although coord is honest", async (scene) => {
  const other = "y".repeat(52);
  const visit = await refused(await scene.visitor(), honest, /pin/i, `${pieces.it.url}#p=${other}`);
  const { text } = await visit.shell();
  assert.match(text, /link/i);
  assert.doesNotMatch(text, /delete/i, "a bad link is no reason to forget the machine");
});

// IDN-020, SEC-002
scenario("a key that nothing is known of is taken at the first visit, and from then on the only one", async (scene) => {
  // This is what pinning is for, and it shows that the lie of these tests is a good one.
  const impostor = signAnew();
  liar.lie = impostor;
  const visitor = await scene.visitor();
  const visit = await visitor.visit(pieces.it.url);
  await visit.app("#hello");
  await visit.page.close();
  await refused(visitor, honest, /pin/i);
});

// IDN-020
for (const storage of ["with storage", "without storage"]) {
  // IDN-020, BRO-040, BRO-055
  scenario(`another key is refused when the connection is made again (${storage})`, async (scene) => {
    liar.lie = honest;
    const visitor = await scene.visitor();
    if (storage === "without storage") {
      await visitor.context.addInitScript(() => {
        IDBFactory.prototype.open = () => {
          throw new DOMException("no storage here", "SecurityError");
        };
      });
    }
    const visit = await visitor.visit(pieces.it.url);
    await visit.app("#hello");
    liar.lie = signAnew();
    await pieces.it.restartAgent();
    const shell = await until("the visit to be refused", async () => {
      const now = await visit.shell();
      return now.state === "refused" && now;
    }, { timeout: 50_000 });
    assert.match(shell.reason, /pin/i);
    liar.lie = honest;
    // Whatever the app still asks for now stays here, and the page is on top of it.
    const reached = () => upstream.requests.filter(({ url }) => url.startsWith("/after-the-refusal")).length;
    visit.frame?.evaluate(() => fetch("/after-the-refusal").then(() => undefined)).catch(() => undefined);
    // An honest answer could be had now, were it asked for.
    await visit.page.waitForTimeout(3_000);
    assert.equal(reached(), 0, "no request of the app is sent");
    assert.ok(!await visit.page.evaluate(() => document.elementFromPoint(innerWidth / 2, innerHeight / 2) instanceof HTMLIFrameElement), "the app is covered");
  }, { timeout: 90_000 });
}

// SIG-030
scenario("signaling ends with its work", async (scene) => {
  liar.lie = honest;
  const visit = await scene.visit(pieces.it.url);
  await visit.app("#hello");
  await until("the visit's stream to be closed", () => liar.streams === 0, { timeout: 25_000 });
  assert.equal((await visit.shell()).state, "open");
});

// IDN-017
scenario("a signature that does not fit is refused", async (scene) => {
  await refused(await scene.visitor(), spoilSignature, /sign/i);
});

scenario("the session of a visitor who got in goes on while coord lies", async (scene) => {
  liar.lie = honest;
  const visit = await scene.visit(pieces.it.url);
  const app = await visit.app("#hello");
  liar.lie = swapFingerprint;
  const reached = () => upstream.requests.filter(({ url }) => url === "/while-coord-lies").length;
  assert.equal(reached(), 0);
  assert.equal(await app.evaluate(async () => (await fetch("/while-coord-lies")).status), 200);
  assert.equal(reached(), 1);
  liar.lie = honest;
});
