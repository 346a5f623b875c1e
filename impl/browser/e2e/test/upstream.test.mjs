// The app behind the tunnel misbehaves, or the visitor does.
import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { gzipSync } from "node:zlib";
import { isCutOff } from "../harness/engine.mjs";
import { Pieces, startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { Upstream } from "../harness/upstream.mjs";

/** Endless answers: how many are being written, how many ended because the other side left, bytes. */
const endless = { open: 0, left: 0, written: 0 };
/** Request bodies that broke off. */
const uploads = { open: 0, brokeOff: 0 };
/** Chromium keeps up to about 56 MB of an answer that its page does not read. */
const MAX_BUFFERED = 96 * 1024 * 1024;
const BLOCK = Buffer.alloc(64 * 1024, "p2claw ");

function misbehave(request, response) {
  const { pathname } = new URL(request.url, "http://upstream");
  switch (pathname) {
    case "/unheard-of-coding":
    case "/endless": {
      endless.open += 1;
      response.writeHead(200, pathname === "/endless" ? { "content-type": "application/octet-stream" } : { "content-type": "text/html", "content-encoding": "br" });
      const more = () => {
        do endless.written += BLOCK.length;
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
    case "/gzip":
    case "/gzip-page": {
      const type = pathname === "/gzip" ? "application/json" : "text/html";
      const body = gzipSync(pathname === "/gzip" ? JSON.stringify({ long: "x".repeat(100_000) }) : "<!doctype html><h1 id=zipped>Unzipped</h1>");
      response.writeHead(200, { "content-type": type, "content-encoding": "gzip", "content-length": body.length }).end(body);
      return true;
    }
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

// HTP-040, HTP-041, HTP-043
scenario("an upstream that is down is a 502 page that recovers by itself", async (scene) => {
  await upstream.stop();
  scene.finally(() => upstream.stop().then(() => upstream.listen()));
  const visit = await scene.visit(demo.it.url);
  const error = await visit.app("body > *");
  assert.equal(await navigationStatus(error), 502);
  const words = await error.evaluate(() => document.body.innerText);
  assert.match(words, /502|not (running|reachable|answer)|no answer|down|refused/i);
  const data = await error.evaluate(async () => {
    const response = await fetch("/data.json");
    return { status: response.status, code: response.headers.get("p2claw-error"), type: response.headers.get("content-type"), cache: response.headers.get("cache-control") };
  });
  assert.match(data.type, /^text\/plain/);
  assert.deepEqual([data.status, data.code, data.cache], [502, "UPSTREAM_UNAVAILABLE", "no-store"], "fetch gets the 502, too");
  await upstream.listen();
  const app = await visit.app("#hello");
  assert.equal(await navigationStatus(app), 200);
  // Down again while somebody is there: the page stays, its requests fail, and then work again.
  await upstream.stop();
  assert.equal(await app.evaluate(async () => (await fetch("/data.json")).status), 502);
  await upstream.listen();
  assert.equal(await app.evaluate(async () => (await fetch("/data.json")).status), 200);
});

/** Starts a fetch that the page can abort, and counts what it gets. */
function startFetch(app, target) {
  return app.evaluate((path) => {
    window.stop = new AbortController();
    window.received = 0;
    const reading = fetch(path, { signal: window.stop.signal }).then(async (response) => {
      for await (const chunk of response.body) window.received += chunk.length;
    });
    window.outcome = reading.then(() => "a clean end", (error) => error.name);
  }, target);
}

function megabyte(app) {
  return until("a megabyte", () => app.evaluate(() => window.received > 1_000_000));
}

// HTP-013
scenario("a download that the page aborts closes the upstream's connection", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const before = endless.left;
  await startFetch(app, "/endless");
  await megabyte(app);
  await app.evaluate(() => window.stop.abort());
  assert.equal(await app.evaluate(() => window.outcome), "AbortError");
  await until("the upstream's connection to be closed", () => endless.left === before + 1 && endless.open === 0);
});

for (const kind of ["fetch", "fetch of a Request", "XMLHttpRequest"]) {
  // HTP-013
  scenario(`a ${kind} that the page aborts before it is answered closes the upstream's connection`, async (scene) => {
    const app = await (await scene.visit(demo.it.url)).app();
    const before = endless.left;
    await app.evaluate((how) => {
      const controller = new AbortController();
      window.stop = () => controller.abort();
      if (how === "XMLHttpRequest") {
        const request = new XMLHttpRequest();
        request.open("GET", "silent");
        window.outcome = new Promise((resolve) => request.addEventListener("abort", () => resolve("AbortError")));
        window.stop = () => request.abort();
        request.send();
      } else {
        const { signal } = controller;
        const asked = how === "fetch" ? fetch("/silent", { signal }) : fetch(new Request("/silent", { signal }));
        window.outcome = asked.then(() => "an answer", (error) => error.name);
      }
    }, kind);
    await until("the request to be open", () => endless.open === 1);
    await app.evaluate(() => window.stop());
    assert.equal(await app.evaluate(() => window.outcome), "AbortError");
    await until("the upstream's connection to be closed", () => endless.left === before + 1 && endless.open === 0, { timeout: 20_000 });
    assert.equal(await app.evaluate(async () => (await fetch("/")).status), 200);
  });
}

// HTP-013
scenario("a page that never comes is given up for the next one", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const app = await visit.app("#hello");
  const before = endless.left;
  await app.evaluate(() => {
    location.href = "/silent";
  });
  await until("the request to be open", () => endless.open === 1);
  await app.evaluate(() => {
    location.href = "/next";
  });
  await visit.at("/next");
  await until("the upstream's connection to be closed", () => endless.left === before + 1 && endless.open === 0, { timeout: 20_000 });
  await visit.back();
  await visit.at("/");
});

// A closed tab tells nobody; the tunnel finds out.
for (const target of ["/endless", "/silent"]) {
  // HTP-013
  scenario(`a visitor who closes the tab in the middle of ${target} closes the upstream's connection`, async (scene) => {
    const visit = await scene.visit(demo.it.url);
    const app = await visit.app();
    const before = endless.left;
    await startFetch(app, target);
    await until(`${target} to be open`, () => endless.open === 1);
    if (target === "/endless") await megabyte(app);
    const began = Date.now();
    await visit.page.close();
    await until("the upstream's connection to be closed", () => endless.left === before + 1 && endless.open === 0, { timeout: 30_000 });
    scene.note(`the upstream's connection was closed ${Date.now() - began} ms after the tab`);
  });
}

// HTP-013
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

// BRO-007
scenario("a reader that stalls holds up neither others nor the upstream's data", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const before = { ...endless };
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
  // It must come to a halt: what nobody reads is not fetched for ever.
  let last = -1;
  let still = 0;
  await until("the upstream to be held back", () => {
    still = endless.written === last ? still + 1 : 0;
    last = endless.written;
    return still === 4 || last - before.written >= MAX_BUFFERED;
  }, { timeout: 60_000, every: 500 });
  const buffered = endless.written - before.written;
  scene.note(`${(buffered / 1024 / 1024).toFixed(1)} MiB were written before the upstream was held back`);
  assert.ok(buffered < MAX_BUFFERED);
  await app.evaluate(() => window.stalled.cancel());
  await until("the stalled download to end", () => endless.left === before.left + 1);
});

// HTP-041, HTP-050, BRO-008
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
  for (const path of ["/hang-up/in-the-body", "/hang-up/between-chunks"]) {
    const { status, error } = await outcome(path);
    assert.equal(status, 200);
    assert.ok(isCutOff(error), `${path}: ${error}`);
  }
  assert.equal((await outcome("/hang-up/before-the-head")).status, 502);
  assert.equal((await outcome("/nonsense")).status, 502);
  assert.equal((await outcome("/")).status, 200);
});

scenario("a page that the upstream hangs up on says so", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}hang-up/before-the-head`);
  const error = await visit.app("body > *");
  assert.equal(await navigationStatus(error), 502);
});

// BRO-004, BRO-049
scenario("an answer that cannot be shown is said so once, and not asked for again", async (scene) => {
  const began = upstream.requests.length;
  const before = endless.left;
  const visit = await (await scene.visitor()).newPage();
  await visit.page.goto(`${demo.it.url}unheard-of-coding`, { waitUntil: "commit" });
  await visit.settled();
  const page = visit.frame;
  await until("its words", async () => /cannot be shown/.test(await page.evaluate(() => document.body.innerText)));
  await until("the upstream's connection to be closed", () => endless.left === before + 1);
  // Four requests would follow within this time if it were asked for every second.
  await visit.page.waitForTimeout(4_000);
  assert.equal(upstream.requests.slice(began).filter(({ url }) => url === "/unheard-of-coding").length, 1);
});

// BRO-010
scenario("compressed answers are decoded", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}gzip-page`);
  const app = await visit.app("#zipped");
  assert.equal(await app.textContent("#zipped"), "Unzipped");
  assert.equal(await app.evaluate(async () => (await (await fetch("/gzip")).json()).long.length), 100_000);
});

// BRO-004
scenario("a shell that lacks a part says so, and tries again when asked", async (scene) => {
  const visit = await (await scene.visitor()).newPage();
  await visit.page.route(/\/tunnel-[0-9a-f]+\.js$/, (route) => route.abort());
  await visit.goto(demo.it.url, "failed");
  assert.equal((await visit.shell()).reason, "NO_WORKER");
  await visit.page.unroute(/\/tunnel-[0-9a-f]+\.js$/);
  await visit.page.click("button");
  await until("the app", async () => (await visit.shell()).state === "open");
  await visit.app("#hello");
});

// HTP-010, SEC-004
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
  const outcomes = await app.evaluate(
    (paths) => Promise.all(paths.map((path) => fetch(location.origin + path).then(({ status }) => status, (error) => error.name))),
    targets,
  );
  assert.equal(victim.connections, 0, "nothing reached the other server");
  const reached = upstream.requests.slice(began).map(({ url }) => url);
  for (const [index, target] of targets.entries()) {
    // What the browser itself makes of the address is what the upstream must see.
    const { pathname, search } = new URL(`http://x${target}`);
    if (pathname.startsWith("//")) {
      // Too easily read as another host: refused before it leaves.
      assert.equal(outcomes[index], "TypeError", target);
      assert.ok(!reached.includes(pathname + search), target);
    } else {
      assert.equal(outcomes[index], 200, target);
      assert.ok(reached.includes(pathname + search), `${target} reached the upstream as it is; it saw ${reached}`);
    }
  }
  for (const { headers } of upstream.requests) assert.equal(headers.host, `127.0.0.1:${upstream.port}`);
});

const pieces = shared(() => new Pieces().start());

// BRO-004, EDG-001, EDG-002
scenario("addresses that lead nowhere say so", async (scene) => {
  const known = await pieces.it.expose("known", upstream.port);
  const { host, hostname, port } = new URL(known);
  const nobody = known.replace(/known-.*\.localhost/, "known-nobody-nowhere-0000.localhost");
  const cases = [
    ["an app that is not there", known.replace("known-", "unknown-"), "NO_SUCH_APP"],
    ["an alias that nobody has", nobody, "NO_SUCH_ALIAS"],
  ];
  for (const [what, url, reason] of cases) {
    const visit = await (await scene.visitor()).newPage();
    await visit.page.goto(url, { waitUntil: "commit" });
    const shell = await until(`${what} to be refused`, async () => {
      const now = await visit.shell();
      return ["failed", "offline"].includes(now.state) && now;
    });
    assert.equal(shell.reason, reason, what);
    assert.ok(shell.text.trim().length > 30, `${what}: the page explains: ${shell.text}`);
  }
  // Not every browser would ask for all of them.
  for (const bad of [`xn--a-${hostname}:${port}`, `www.${host}`, `a_b.localhost:${port}`]) {
    const [response] = await once(get({ host: "127.0.0.1", port, headers: { host: bad, accept: "text/html" } }), "response");
    assert.equal(response.resume().statusCode, 404, bad);
  }
});

// BRO-004
scenario("an agent that is gone is offline, and the page recovers when it is back", async (scene) => {
  const url = await pieces.it.expose("here", upstream.port);
  await pieces.it.agent.stop();
  const visit = await scene.visit(url, "offline");
  assert.match((await visit.shell()).text, /offline|not (connected|running|reachable|online)|asleep/i);
  pieces.it.startAgent();
  await until("the same tab to open", async () => (await visit.shell()).state === "open", { timeout: 50_000 });
  await visit.app("#hello");
}, { timeout: 90_000 });
