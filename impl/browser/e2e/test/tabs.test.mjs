// Several tabs of one browser: each has its own connection, and none depends on another.
import assert from "node:assert/strict";
import { stopServiceWorkers } from "../harness/engine.mjs";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { Upstream } from "../harness/upstream.mjs";

/** Answers that go on until their reader leaves. */
const streams = { open: 0 };
const upstream = new Upstream((request, response) => {
  if (request.url === "/file") {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-disposition": "attachment; filename=file.bin" }).end("file");
    return true;
  }
  if (request.url !== "/stream") return false;
  streams.open += 1;
  response.writeHead(200, { "content-type": "text/plain" });
  const timer = setInterval(() => response.write("tick\n"), 50);
  response.on("close", () => {
    clearInterval(timer);
    streams.open -= 1;
  });
  return true;
});
const demo = shared(async () => {
  await upstream.listen();
  const running = await startDemo("--upstream", `127.0.0.1:${upstream.port}`);
  const stop = async () => {
    await running.stop();
    await upstream.stop();
  };
  return { ...running, stop };
});

/** More than the connections that Chromium opens to one host. */
const TABS = 8;

scenario("eight tabs of one address all open", async (scene) => {
  const visitor = await scene.visitor();
  const visits = [];
  for (let tab = 0; tab < TABS; tab++) visits.push(await visitor.visit(`${demo.it.url}?tab=${tab}`));
  for (const [tab, visit] of visits.entries()) {
    const app = await visit.app("#hello");
    assert.equal(await app.evaluate(async () => (await fetch("/again")).status), 200, `tab ${tab}`);
  }
}, { timeout: 90_000 });

scenario("eight tabs that open at once do, too", async (scene) => {
  const visitor = await scene.visitor();
  const visits = await Promise.all(Array.from({ length: TABS }, () => visitor.visit(demo.it.url)));
  await Promise.all(visits.map((visit) => visit.app("#hello")));
}, { timeout: 90_000 });

// BRO-004, BRO-005, BRO-016
scenario("a tab that was refused holds up no other one", async (scene) => {
  const visitor = await scene.visitor();
  const good = await visitor.visit(demo.it.url);
  await good.app("#hello");
  const bad = await visitor.newPage();
  await bad.goto(`${demo.it.url}#p=${"y".repeat(52)}`, "refused");
  // The tab that was looked at last is the first that the service worker would think of.
  const began = Date.now();
  await good.page.reload({ waitUntil: "commit" });
  await good.settled();
  const app = await good.app("#hello");
  assert.equal(await app.evaluate(async () => (await fetch("/x", { method: "POST" })).status), 200);
  scene.note(`reloaded beside a refused tab in ${Date.now() - began} ms`);
  assert.ok(Date.now() - began < 20_000);
  assert.equal((await bad.shell()).state, "refused");
});

scenario("requests stay in their tab when the service worker has forgotten everything", async (scene) => {
  const visitor = await scene.forgetfulVisitor();
  const first = await visitor.visit(`${demo.it.url}?first`);
  const app = await first.app("#hello");
  const second = await visitor.visit(`${demo.it.url}?second`);
  await second.app("#hello");
  await stopServiceWorkers(app, "/stream");
  // One may be left over from that.
  const before = streams.open;
  await app.evaluate(async () => {
    const reader = (await fetch("/stream")).body.getReader();
    window.ticks = 0;
    const read = async () => {
      for (;;) {
        const { done } = await reader.read();
        if (done) return "a clean end";
        window.ticks += 1;
      }
    };
    window.outcome = read().catch((error) => error.name);
  });
  await second.page.close();
  const seen = await app.evaluate(() => window.ticks);
  // The service worker looks for closed tabs every 2 s.
  await until("the stream to go on", () => app.evaluate((count) => window.ticks > count + 60, seen));
  assert.equal(streams.open, before + 1);
  assert.equal(await app.evaluate(async () => (await fetch("/after")).status), 200);
  await app.evaluate(() => {
    location.href = "/next";
  });
  await first.at("/next");
});

scenario("a download in one tab leaves the address of another one alone", async (scene) => {
  const visitor = await scene.visitor();
  const [one, two] = [await visitor.visit(`${demo.it.url}?one`), await visitor.visit(`${demo.it.url}?two`)];
  const go = async (visit, to) => {
    const app = await visit.app("#hello");
    await app.evaluate((path) => {
      location.href = path;
    }, to);
  };
  for (const visit of [one, two]) {
    await go(visit, "/there");
    await visit.at("/there");
  }
  const passed = (visit) => visit.page.evaluate(() => window.passed.join());
  for (const visit of [one, two]) {
    await visit.page.evaluate(() => {
      window.passed = [];
      navigation.addEventListener("currententrychange", () => window.passed.push(location.pathname));
    });
  }
  const download = one.page.waitForEvent("download");
  await go(one, "/file");
  await download;
  await until("the first tab to come back", async () => (await passed(one)) === "/file,/there");
  await one.at("/there");
  assert.equal(await passed(two), "");
  await two.at("/there");
});
