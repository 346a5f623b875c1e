// The pieces apart: routes come and go, and servers may restart.
import assert from "node:assert/strict";
import { Pieces } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { noise, sha256 } from "../harness/noise.mjs";
import { Upstream } from "../harness/upstream.mjs";

const BYTES = 3 * 1024 * 1024;
const upstream = new Upstream((request, response) => {
  if (request.url !== "/noise") return false;
  response.end(noise(BYTES));
  return true;
});
const pieces = shared(async () => {
  await upstream.listen();
  const running = await new Pieces().start();
  return {
    running,
    stop: async () => {
      await running.stop();
      await upstream.stop();
    },
  };
});

function hashOfNoise(app) {
  return app.evaluate(async () => {
    const body = await (await fetch("/noise")).arrayBuffer();
    const digest = await crypto.subtle.digest("SHA-256", body);
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  });
}

/** Tries fresh visits until one gets in. */
async function opens(scene, url, timeout = 90_000) {
  return until(
    `${url} to open`,
    async () => {
      const visitor = await scene.visitor();
      const visit = await visitor.newPage();
      try {
        await visit.page.goto(url, { waitUntil: "commit" });
        await visit.settled();
        return visit;
      } catch (error) {
        await visitor.close();
        throw error;
      }
    },
    { timeout, every: 250 },
  );
}

scenario("a route is exposed, listed, visited, taken back and gone", async (scene) => {
  const { running } = pieces.it;
  const url = await running.expose("recipes", upstream.port);
  const [listed] = (await running.routes()).filter(({ app }) => app === "recipes");
  assert.equal(listed.upstream, `localhost:${upstream.port}`);
  assert.equal(listed.url, url);
  await (await scene.visit(url)).app("#hello");
  await running.unexpose("recipes");
  assert.ok(!JSON.stringify(await running.routes()).includes('"recipes"'));
  const visit = await (await scene.visitor()).newPage();
  await visit.page.goto(url, { waitUntil: "commit" });
  const shell = await until("the visit to end", async () => {
    const now = await visit.shell();
    return ["failed", "offline"].includes(now.state) && now;
  });
  assert.match(shell.reason, /app/i);
});

// HTP-011, NAM-004, SEC-012
scenario("bad names and bad ports are refused in words", async () => {
  const { running } = pieces.it;
  for (const name of ["UPPER", "-a", "a-", "xn--abc", "www", "api", "a_b", "a".repeat(33), ""]) {
    const { code, stderr, stdout } = await running.command("expose", name, String(upstream.port));
    assert.notEqual(code, 0, `expose "${name}"`);
    assert.ok((stderr + stdout).trim().length > 10, `expose "${name}" says why`);
    assert.doesNotMatch(stderr, /panicked/);
  }
  for (const port of ["0", "65536", "x", "192.0.2.1:80", "example.org:80"]) {
    const { code, stderr } = await running.command("expose", "fine", port);
    assert.notEqual(code, 0, `port ${port}`);
    assert.doesNotMatch(stderr, /panicked/);
  }
  assert.ok(!JSON.stringify(await running.routes()).includes('"fine"'));
});

scenario("a second daemon on the same state refuses to start", async () => {
  const { running } = pieces.it;
  const { code, stderr } = await running.command("run", "--coord", `http://127.0.0.1:${running.coordPort}`);
  assert.notEqual(code, 0);
  assert.match(stderr, /already|running|in use/i);
});

// SIG-025
scenario(
  "sessions outlive coord and edge, and the agent comes back under the same alias with its routes",
  async (scene) => {
    const { running } = pieces.it;
    const url = await running.expose("steady", upstream.port);
    const before = await running.identity();
    const visit = await scene.visit(url);
    const app = await visit.app("#hello");
    const expected = sha256(noise(BYTES));
    assert.equal(await hashOfNoise(app), expected);

    await Promise.all([running.coord.crash(), running.edge.crash()]);
    const seen = upstream.requests.length;
    for (let round = 0; round < 3; round++) assert.equal(await hashOfNoise(app), expected, "the open session goes on");
    assert.equal(upstream.requests.length, seen + 3);

    await running.startCoord();
    await running.startEdge();
    const began = Date.now();
    const again = await opens(scene, url);
    scene.note(`a new visitor got in ${((Date.now() - began) / 1000).toFixed(1)} s after coord and edge were back`);
    await again.app("#hello");
    const after = await running.identity();
    assert.equal(after.alias, before.alias);
    assert.equal(after.peer_id, before.peer_id);
    assert.ok(JSON.stringify(await running.routes()).includes('"steady"'));
    assert.equal(await hashOfNoise(app), expected, "the old session still goes on");
    assert.equal((await visit.shell()).state, "open");
  },
  { timeout: 90_000 },
);

scenario(
  "a daemon that restarts has its identity and its routes",
  async (scene) => {
    const { running } = pieces.it;
    const url = await running.expose("kept", upstream.port);
    const before = await running.identity();
    await running.agent.stop();
    running.startAgent();
    await (await opens(scene, url)).app("#hello");
    const after = await running.identity();
    assert.deepEqual([after.alias, after.peer_id], [before.alias, before.peer_id]);
  },
  { timeout: 75_000 },
);
