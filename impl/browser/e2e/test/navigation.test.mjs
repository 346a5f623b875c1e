// Navigations that do not happen, and addresses that look like something else.
import assert from "node:assert/strict";
import { stopLoading } from "../harness/engine.mjs";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { Upstream } from "../harness/upstream.mjs";

/** Answers that never begin. */
const silent = { open: 0 };
const page = (name, body = "") => `<!doctype html><meta charset="utf-8"><title>${name}</title><h1 id="hello">${name}</h1>${body}`;
const LINKS = `<a id="slow" href="/silent">slow</a> <a id="next" href="/next">next</a> <input id="words">
  <a id="two" href="#p=2">page 2</a> <h2 id="p=2">Page 2</h2>
  <form id="top" method="post" action="/save" target="_top"><button>Save</button></form>`;

const upstream = new Upstream((request, response) => {
  const { pathname } = new URL(request.url, "http://upstream");
  if (pathname === "/silent") {
    silent.open += 1;
    response.on("close", () => (silent.open -= 1));
    return true;
  }
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page(pathname, LINKS));
  return true;
});
/** A site of somebody else's. */
const elsewhere = new Upstream((request, response) => {
  const to = new URL(request.url, "http://elsewhere").searchParams.get("to");
  const form = to ? `<form method="post" action="${to}"><input name="a" value="1"></form><script>document.forms[0].submit()</script>` : "";
  response.writeHead(200, { "content-type": "text/html" }).end(page("Elsewhere", form));
  return true;
});
const demo = shared(async () => {
  await Promise.all([upstream.listen(), elsewhere.listen()]);
  const running = await startDemo("--upstream", `127.0.0.1:${upstream.port}`);
  const stop = async () => {
    await running.stop();
    await Promise.all([upstream.stop(), elsewhere.stop()]);
  };
  return { ...running, stop };
});

/** The tab after `/first` and `/second`, so that there is something behind the page. */
async function arrived(scene) {
  const visit = await scene.visit(`${demo.it.url}first`);
  await (await visit.app("#next")).evaluate(() => {
    location.href = "/second";
  });
  await visit.at("/second");
  return { visit, app: await visit.app("#next"), length: await visit.page.evaluate(() => history.length) };
}

/** Back leads to the page before, which was never lost. */
async function historyIsWhole(visit) {
  await visit.at("/second");
  await visit.back();
  await visit.at("/first");
  await visit.forward();
  await visit.at("/second");
}

scenario("a page that the visitor decides not to leave keeps its address", async (scene) => {
  const { visit, app } = await arrived(scene);
  const dialogs = [];
  visit.page.on("dialog", (dialog) => {
    dialogs.push(dialog.type());
    dialog.dismiss().catch(() => {});
  });
  await app.evaluate(() => {
    window.ask = (event) => event.preventDefault();
    addEventListener("beforeunload", window.ask);
  });
  // Without a gesture the browser does not ask.
  await app.click("#words");
  await app.fill("#words", "unsaved");
  await app.click("#next", { noWaitAfter: true });
  await until("the browser to ask", () => dialogs.includes("beforeunload"));
  await visit.at("/second");
  assert.equal(await app.inputValue("#words"), "unsaved");
  await app.evaluate(() => removeEventListener("beforeunload", window.ask));
  await historyIsWhole(visit);
});

scenario("a page whose load is stopped leaves the one before it in place", async (scene) => {
  const { visit, app } = await arrived(scene);
  await app.click("#slow", { noWaitAfter: true });
  await until("the request to be open", () => silent.open === 1);
  await stopLoading(visit.page);
  await until("the request to be given up", () => silent.open === 0);
  await historyIsWhole(visit);
});

scenario("of two quick links only the second one is in the history", async (scene) => {
  const { visit, app, length } = await arrived(scene);
  await app.click("#slow", { noWaitAfter: true });
  await until("the request to be open", () => silent.open === 1);
  await app.click("#next", { noWaitAfter: true });
  await visit.at("/next");
  assert.equal(await visit.page.evaluate(() => history.length), length + 1);
  await until("the first request to be given up", () => silent.open === 0);
  await visit.back();
  await historyIsWhole(visit);
});

scenario("Back while a page loads gives it up", async (scene) => {
  const { visit, app } = await arrived(scene);
  await app.click("#slow", { noWaitAfter: true });
  await until("the request to be open", () => silent.open === 1);
  await visit.back();
  await visit.at("/second");
  await until("the request to be given up", () => silent.open === 0);
  assert.ok(await app.evaluate(() => document.readyState === "complete"));
});

// BRO-002
scenario("a fragment of the app's that looks like a pin is none", async (scene) => {
  const { visit, app } = await arrived(scene);
  await app.click("#two");
  await until("the fragment in the app", () => app.evaluate(() => location.hash === "#p=2"));
  assert.equal(new URL(visit.page.url()).hash, "");
  await app.evaluate(() => {
    location.href = "/third#p=3";
  });
  await until("the next page", () => new URL(visit.page.url()).pathname === "/third");
  const third = await until("its frame", () => visit.page.frames().find((frame) => frame.url().endsWith("/third#p=3")));
  assert.equal(await third.evaluate(() => location.hash), "#p=3", "the app has its fragment");
  assert.equal(new URL(visit.page.url()).hash, "", "the bar has none");
  await third.evaluate(() => {
    top.location.href = "/fourth#p=4";
  });
  await until("the page of the whole tab", () => visit.page.frames().some((frame) => frame.url().endsWith("/fourth#p=4")));
  assert.equal(new URL(visit.page.url()).hash, "");
  await visit.page.reload({ waitUntil: "commit" });
  await visit.settled();
  await visit.at("/fourth");
});

scenario("an app that navigates by itself is not disturbed", async (scene) => {
  const { visit, app } = await arrived(scene);
  await app.evaluate(() => {
    window.same = true;
    navigation.onnavigate = (event) => event.intercept();
  });
  await app.click("#next");
  await visit.at("/next");
  assert.ok(await app.evaluate(() => window.same), "the document is the same");
  await app.evaluate(() => {
    navigation.onnavigate = null;
  });
  await app.click("#next");
  await until("another document", async () => (await visit.app("#next")).evaluate(() => !window.same));
});

// BRO-014
scenario("a form that is sent to the whole tab is not lost in silence", async (scene) => {
  const { visit, app } = await arrived(scene);
  const answer = visit.page.waitForResponse((response) => response.url().endsWith("/save"));
  await app.click("#top button", { noWaitAfter: true });
  const response = await answer;
  assert.equal(response.status(), 503);
  assert.equal(response.headers()["p2claw-error"], "NOT_TUNNELLED");
  await visit.page.waitForSelector("text=The form was not sent");
  assert.ok(!upstream.requests.some(({ url }) => url === "/save"), "the app saw nothing");
  await visit.page.click("a");
  await visit.settled();
  await visit.at("/");
  // The same from another site.
  const other = await (await scene.visitor()).visit(demo.it.url);
  await other.app("#hello");
  await other.page.goto(`http://127.0.0.1:${elsewhere.port}/?to=${encodeURIComponent(`${demo.it.url}transfer`)}`, { waitUntil: "commit" });
  await other.page.waitForSelector("text=The form was not sent");
});
