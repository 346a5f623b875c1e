// The app behind the tunnel misbehaves, or the visitor does.
import assert from "node:assert/strict";
import { Pieces, startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { Upstream } from "../harness/upstream.mjs";

/** Endless answers that are being written: their number, and how many ended because the other side left. */
const endless = { open: 0, left: 0 };
/** Request bodies that broke off. */
const uploads = { open: 0, brokeOff: 0 };
const BLOCK = Buffer.alloc(64 * 1024, "p2claw ");

function misbehave(request, response) {
  const { pathname } = new URL(request.url, "http://upstream");
  switch (pathname) {
    case "/endless": {
      endless.open += 1;
      response.writeHead(200, { "content-type": "application/octet-stream" });
      const more = () => {
        while (!response.destroyed && response.write(BLOCK));
      };
      response.on("drain", more);
      response.on("close", () => {
        endless.open -= 1;
        endless.left += 1;
      });
      more();
      return true;
    }
    case "/silent":
      endless.open += 1;
      response.on("close", () => {
        endless.open -= 1;
        endless.left += 1;
      });
      return true;
    case "/swallow":
      uploads.open += 1;
      request.on("error", () => {});
      request.on("close", () => {
        uploads.open -= 1;
        if (!request.complete) uploads.brokeOff += 1;
      });
      request.on("end", () => response.end("all of it"));
      request.resume();
      return true;
    case "/hang-up/before-the-head":
      request.socket.destroy();
      return true;
    case "/hang-up/in-the-body":
      response.writeHead(200, { "content-type": "text/plain", "content-length": "1000000" });
      response.write(BLOCK, () => setTimeout(() => request.socket.destroy(), 50));
      return true;
    case "/hang-up/between-chunks":
      response.writeHead(200, { "content-type": "text/plain" });
      response.write(BLOCK, () => setTimeout(() => request.socket.destroy(), 50));
      return true;
    case "/nonsense":
      request.socket.end("this is not HTTP\r\n\r\n");
      return true;
    default:
      return false;
  }
}

const upstream = new Upstream(misbehave);
const victim = new Upstream();
const demo = shared(async () => {
  await upstream.listen();
  await victim.listen();
  const running = await startDemo("--upstream", `127.0.0.1:${upstream.port}`);
  const stop = async () => {
    await running.stop();
    await Promise.all([upstream.stop(), victim.stop()]);
  };
  return { ...running, stop };
});

function navigationStatus(frame) {
  return frame.evaluate(() => performance.getEntriesByType("navigation")[0].responseStatus);
}

scenario("an upstream that is down is a 502 page that recovers by itself", async (scene) => {
  await upstream.stop();
  scene.finally(() => upstream.stop().then(() => upstream.listen()));
  const visit = await scene.visit(demo.it.url);
  const error = await visit.app("body > *");
  assert.equal(await navigationStatus(error), 502);
  const words = await error.evaluate(() => document.body.innerText);
  assert.match(words, /502|not (running|reachable|answer)|no answer|down|refused/i);
  assert.equal(await error.evaluate(async () => (await fetch("/data.json")).status), 502, "fetch gets the 502, too");
  await upstream.listen();
  const app = await visit.app("#hello");
  assert.equal(await navigationStatus(app), 200);
  // Down again while somebody is there: the page stays, its requests fail, and then work again.
  await upstream.stop();
  assert.equal(await app.evaluate(async () => (await fetch("/data.json")).status), 502);
  await upstream.listen();
  assert.equal(await app.evaluate(async () => (await fetch("/data.json")).status), 200);
});

scenario("a fetch that is aborted closes the upstream's connection", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  for (const target of ["/endless", "/silent"]) {
    const before = endless.left;
    await app.evaluate((path) => {
      window.stop = new AbortController();
      window.outcome = fetch(path, { signal: window.stop.signal }).then(async (response) => {
        for await (const chunk of response.body) window.received = (window.received ?? 0) + chunk.length;
      });
      window.outcome.catch(() => {});
    }, target);
    await until(`${target} to be open`, () => endless.open === 1);
    if (target === "/endless") await until("a megabyte", () => app.evaluate(() => window.received > 1_000_000));
    await app.evaluate(() => window.stop.abort());
    await until(`${target} to be closed`, () => endless.left === before + 1 && endless.open === 0, { timeout: 10_000 });
  }
});

scenario("a visitor who closes the tab mid-download closes the upstream's connection", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const app = await visit.app();
  const before = endless.left;
  await app.evaluate(() => {
    fetch("/endless").then(async (response) => {
      for await (const chunk of response.body) window.received = (window.received ?? 0) + chunk.length;
    });
  });
  await until("a megabyte", () => app.evaluate(() => window.received > 1_000_000));
  const began = Date.now();
  await visit.page.close();
  await until("the upstream's connection to be closed", () => endless.left === before + 1 && endless.open === 0, { timeout: 30_000 });
  scene.note(`the upstream's connection was closed ${Date.now() - began} ms after the tab`);
});

scenario("a visitor who vanishes mid-upload closes the upstream's connection", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const app = await visit.app();
  const before = uploads.brokeOff;
  await app.evaluate(() => {
    fetch("/swallow", { method: "POST", body: new Blob([new Uint8Array(200 * 1024 * 1024)]) }).catch(() => {});
  });
  await until("the upload to begin", () => uploads.open === 1);
  await visit.page.close();
  await until("the upload to break off", () => uploads.brokeOff === before + 1, { timeout: 30_000 });
  // The next visitor does not notice.
  const next = await scene.visit(demo.it.url);
  await next.app("#hello");
});

scenario("a stalled reader does not hold up others, and memory stays bounded", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const before = endless.left;
  await app.evaluate(async () => {
    const response = await fetch("/endless");
    window.stalled = response.body.getReader();
    await window.stalled.read();
  });
  const took = await app.evaluate(async () => {
    const began = performance.now();
    for (let round = 0; round < 20; round++) await (await fetch("/")).text();
    return performance.now() - began;
  });
  scene.note(`20 requests beside a stalled download: ${Math.round(took)} ms`);
  assert.ok(took < 10_000);
  await app.evaluate(() => window.stalled.cancel());
  await until("the stalled download to end", () => endless.left === before + 1);
});

scenario("an upstream that hangs up is an error in the page", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const outcome = (path) =>
    app.evaluate(async (target) => {
      const response = await fetch(target);
      return response.text().then(
        (body) => ({ status: response.status, length: body.length }),
        (error) => ({ status: response.status, error: error.name }),
      );
    }, path);
  assert.deepEqual(await outcome("/hang-up/in-the-body"), { status: 200, error: "TypeError" });
  assert.deepEqual(await outcome("/hang-up/between-chunks"), { status: 200, error: "TypeError" });
  assert.equal((await outcome("/hang-up/before-the-head")).status, 502);
  assert.equal((await outcome("/nonsense")).status, 502);
  assert.equal((await outcome("/")).status, 200);
});

scenario("a page that the upstream hangs up on says so", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}hang-up/before-the-head`);
  const error = await visit.app("body > *");
  assert.equal(await navigationStatus(error), 502);
});

scenario("no request target leads anywhere but to the upstream", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const elsewhere = `127.0.0.1:${victim.port}`;
  const targets = [
    `/@${elsewhere}/`,
    `//${elsewhere}/`,
    `//user@${elsewhere}/`,
    `/http://${elsewhere}/`,
    `/%2F${elsewhere}/`,
    `/:${victim.port}/`,
    `/.${elsewhere}/`,
    "/a/%2e%2e/b?x=//y#z",
    "/%00%0d%0aHost:%20evil/",
    "/?a=http://evil/&b=%0d%0a",
  ];
  const began = upstream.requests.length;
  const statuses = await app.evaluate(
    (paths) => Promise.all(paths.map(async (path) => (await fetch(location.origin + path)).status)),
    targets,
  );
  assert.equal(victim.connections, 0, "nothing reached the other server");
  const reached = upstream.requests.slice(began).map(({ url }) => url);
  for (const [index, target] of targets.entries()) {
    // What Chromium itself makes of the address is what the upstream must see, if it sees it.
    const { pathname, search } = new URL(`http://x${target}`);
    if (statuses[index] === 200) assert.ok(reached.includes(pathname + search), `${target} reached the upstream as it is; it saw ${reached}`);
    else assert.equal(statuses[index], 400, target);
  }
  assert.equal(statuses[0], 200, "a path that begins with @ is only a path");
  for (const { headers } of upstream.requests) assert.equal(headers.host, `127.0.0.1:${upstream.port}`);
});

const pieces = shared(() => new Pieces().start());

scenario("addresses that lead nowhere say so", async (scene) => {
  const known = await pieces.it.expose("known", upstream.port);
  const { host, hostname } = new URL(known);
  const nobody = known.replace(/known-.*\.localhost/, "known-nobody-nowhere-0000.localhost");
  const cases = [
    ["an app that is not there", known.replace("known-", "unknown-")],
    ["an alias that nobody has", nobody],
  ];
  for (const [what, url] of cases) {
    const visit = await (await scene.visitor()).newPage();
    await visit.page.goto(url, { waitUntil: "commit" });
    const shell = await until(`${what} to be refused`, async () => {
      const now = await visit.shell();
      return ["failed", "offline"].includes(now.state) && now;
    });
    assert.ok(shell.reason, `${what}: there is a reason`);
    assert.ok(shell.text.trim().length > 30, `${what}: the page explains: ${shell.text}`);
  }
  const visitor = await scene.visitor();
  for (const bad of [`xn--a-${hostname}:${new URL(known).port}`, `www.${host}`, `a_b.localhost:${new URL(known).port}`]) {
    const page = await visitor.context.newPage();
    const response = await page.goto(`http://${bad}/`);
    assert.equal(response.status(), 404, bad);
  }
});

scenario("an agent that is gone is offline, and the page recovers when it is back", async (scene) => {
  const url = await pieces.it.expose("here", upstream.port);
  await pieces.it.agent.stop();
  const visit = await scene.visit(url, "offline");
  assert.match((await visit.shell()).text, /offline|not (connected|running|reachable|online)|asleep/i);
  pieces.it.startAgent();
  await until("the address to work again", async () => {
    const page = await (await scene.visitor()).newPage();
    await page.page.goto(url, { waitUntil: "commit" });
    return page.settled("open", 5_000);
  }, { timeout: 30_000 });
});
