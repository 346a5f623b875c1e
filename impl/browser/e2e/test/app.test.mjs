// An app through the tunnel behaves as it does without one.
import assert from "node:assert/strict";
import { get } from "node:http";
import { stopServiceWorkers } from "../harness/engine.mjs";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";

const demo = shared(() => startDemo());

function text(frame, selector) {
  return frame.evaluate((wanted) => document.querySelector(wanted)?.textContent, selector);
}

scenario("the page renders with stylesheet, modules, SVG and PNG", async (scene) => {
  const visitor = await scene.visitor({ colorScheme: "light" });
  const visit = await visitor.visit(demo.it.url);
  const app = await visit.app("#notes li");
  const seen = await app.evaluate(() => ({
    heading: document.querySelector("h1").textContent,
    background: getComputedStyle(document.body).backgroundColor,
    images: [...document.images].map(({ src, complete, naturalWidth }) => ({ src, complete, naturalWidth })),
    cards: document.querySelectorAll("#notes li").length,
    frame: [innerWidth, innerHeight],
  }));
  assert.equal(seen.heading, "Pull up a chair.");
  assert.equal(seen.background, "rgb(251, 246, 238)", "the stylesheet is applied");
  assert.equal(seen.images.length, 3);
  for (const image of seen.images) assert.ok(image.complete && image.naturalWidth > 0, `${image.src} is shown`);
  assert.ok(seen.cards >= 3, "the module script has run");
  const size = visit.page.viewportSize();
  assert.deepEqual(seen.frame, [size.width, size.height], "the app has the whole window");
  await until("the live lamp", () => app.evaluate(() => document.getElementById("live").dataset.state === "live"));
  await until("the app's title on the tab", async () => (await visit.page.title()) === "The Long Table");
  assert.deepEqual(visitor.errors, []);
});

// HTP-001, HTP-021, HTP-022, HTP-024, HTP-025, HTP-026
scenario("fetch reads and posts JSON, and the app is told who asked", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const app = await visit.app();
  const { status, notes } = await app.evaluate(async () => {
    const response = await fetch("/api/notes");
    return { status: response.status, ...(await response.json()) };
  });
  assert.equal(status, 200);
  assert.equal(notes[0].author, "Marta");
  const sent = { text: "Grüße, 世界 🍲", list: [1, 2.5, null], deep: { yes: true } };
  const echo = await app.evaluate(async (json) => {
    const headers = { "content-type": "application/json", "x-forwarded-for": "203.0.113.9", "x-p2claw-session": "203.0.113.9" };
    headers.forwarded = "for=203.0.113.9";
    const response = await fetch("/echo?q=a%20b&x=%2F", { method: "POST", headers, body: JSON.stringify(json) });
    return response.json();
  }, sent);
  assert.equal(echo.method, "POST");
  assert.equal(echo.target, "/echo?q=a%20b&x=%2F");
  assert.deepEqual(echo.json, sent);
  const { hostname, host, origin } = new URL(demo.it.url);
  assert.equal(echo.forwarded.host, demo.it.upstream.replace(/^https?:\/\//, "").replace(/\/$/, ""), "Host is the upstream's");
  assert.equal(echo.forwarded["x-forwarded-host"].split(":")[0], hostname);
  assert.equal(echo.forwarded["x-forwarded-proto"], "http");
  assert.ok(echo.forwarded.forwarded.includes(host), "Forwarded names the public host");
  assert.ok(!JSON.stringify(echo.forwarded).includes("203.0.113.9"), "what the visitor claims about itself is dropped");
  assert.match(echo.forwarded["x-p2claw-session"], /^[0-9a-f]{32}$/);
  assert.notEqual(echo.forwarded.origin, origin, "Origin names the upstream, or is absent");
});

// HTP-001, HTP-005, HTP-012, BRO-006
scenario("every method and status passes through", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const seen = await app.evaluate(async () => {
    const result = {};
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      result[method] = (await (await fetch("/echo", { method })).json()).method;
    }
    const head = await fetch("/style.css", { method: "HEAD" });
    result.HEAD = { status: head.status, type: head.headers.get("content-type"), body: await head.text() };
    for (const code of [204, 404, 418, 503]) result[code] = (await fetch(`/status/${code}`)).status;
    const redirected = await fetch("/redirect?to=/about&status=307");
    result.redirected = { url: new URL(redirected.url).pathname, redirected: redirected.redirected, ok: redirected.ok };
    return result;
  });
  assert.deepEqual(seen, {
    GET: "GET",
    PUT: "PUT",
    PATCH: "PATCH",
    DELETE: "DELETE",
    OPTIONS: "OPTIONS",
    HEAD: { status: 200, type: "text/css; charset=utf-8", body: "" },
    204: 204,
    404: 404,
    418: 418,
    503: 503,
    redirected: { url: "/about", redirected: true, ok: true },
  });
});

scenario("many requests at once are all answered", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app();
  const numbers = await app.evaluate(() =>
    Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const response = await fetch("/echo", { method: "POST", body: JSON.stringify({ n }) });
        return (await response.json()).json.n;
      }),
    ),
  );
  assert.deepEqual(numbers, Array.from({ length: 300 }, (_, n) => n));
});

scenario("a card pinned up by one visitor appears at another", async (scene) => {
  const [writer, reader] = await Promise.all([scene.visit(demo.it.url), scene.visit(demo.it.url)]);
  const [write, read] = await Promise.all([writer.app("#notes li"), reader.app("#live[data-state=live]")]);
  const recipe = `Dumplings ${Date.now()}`;
  await write.fill("textarea[name=text]", recipe);
  await write.click("button[type=submit]");
  for (const frame of [write, read]) {
    await until("the new card", async () => (await frame.evaluate(() => document.getElementById("notes").textContent)).includes(recipe));
  }
});

scenario("a reload shows the same page of the app again", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}about?step=3`);
  assert.equal(await text(await visit.app("#step-now"), "#step-now"), "Step 3");
  for (let round = 0; round < 3; round++) {
    await visit.page.reload({ waitUntil: "commit" });
    await visit.settled();
    const app = await visit.app("#step-now");
    await until("the step", async () => (await text(app, "#step-now")) === "Step 3");
    await visit.at("/about?step=3");
  }
});

scenario("a deep link opens that page, query and fragment included", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}about?step=7&x=%2F#steps`);
  const app = await visit.app("#step-now");
  await visit.at("/about?step=7&x=%2F#steps");
  assert.equal(await text(app, "h1"), "About this board");
  assert.equal(await text(app, "#step-now"), "Step 7");
});

scenario("a page that the app does not have is the app's own 404", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}no/such/page`);
  const app = await visit.app("h1");
  assert.equal(await text(app, "h1"), "Not on the menu");
});

scenario("links, back and forward move the app and the address bar together", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const heading = async (wanted) => {
    await until(wanted, async () => (await text(await visit.app("h1"), "h1")) === wanted);
  };
  await heading("Pull up a chair.");
  await (await visit.app()).click("nav a[href='/about']");
  await heading("About this board");
  await visit.at("/about");
  await (await visit.app()).click(".prose a[href='/']");
  await heading("Pull up a chair.");
  await visit.at("/");
  await visit.back();
  await heading("About this board");
  await visit.at("/about");
  await visit.back();
  await heading("Pull up a chair.");
  await visit.at("/");
  await visit.forward();
  await heading("About this board");
  await visit.at("/about");
  // The history outlives the page that made it.
  await visit.page.reload({ waitUntil: "commit" });
  await visit.settled();
  await heading("About this board");
  await visit.back();
  await heading("Pull up a chair.");
  await visit.at("/");
});

scenario("a link to nothing leaves the page, its address and its history as they were", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  await (await visit.app()).click("nav a[href='/about']");
  await visit.at("/about");
  const app = await visit.app("#step");
  await visit.page.evaluate(() => {
    window.passed = [];
    navigation.addEventListener("currententrychange", () => window.passed.push(location.pathname));
  });
  await app.evaluate(() => {
    window.same = true;
    location.href = "/status/204";
  });
  // The bar goes ahead, and comes back.
  await until("the address to come back", async () => (await visit.page.evaluate(() => window.passed.join())) === "/status/204,/about");
  await visit.at("/about");
  assert.ok(await app.evaluate(() => window.same), "the document is the same");
  await visit.back();
  await visit.at("/");
  await until("the first page", async () => (await text(await visit.app("h1"), "h1")) === "Pull up a chair.");
});

scenario("pushState in the app is in the history, too", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}about`);
  const app = await visit.app("#step");
  const step = async (number, path) => {
    await visit.at(path);
    await until(`step ${number}`, async () => (await text(await visit.app("#step-now"), "#step-now")) === `Step ${number}`);
  };
  await step(0, "/about");
  await app.click("#step");
  await step(1, "/about?step=1");
  await app.click("#step");
  await step(2, "/about?step=2");
  await visit.back();
  await step(1, "/about?step=1");
  await visit.back();
  await step(0, "/about");
  await visit.forward();
  await step(1, "/about?step=1");
  await visit.page.reload({ waitUntil: "commit" });
  await visit.settled();
  await step(1, "/about?step=1");
});

// BRO-006, HTP-012
scenario("a redirect leads to its page", async (scene) => {
  const visit = await scene.visit(`${demo.it.url}redirect?to=/about`);
  await until("the other page", async () => (await text(await visit.app("h1"), "h1")) === "About this board");
  await until("its address", () => new URL(visit.page.url()).pathname === "/about");
});

// BRO-005, EDG-003, EDG-004
scenario("what gets past the service worker is no answer of the app's, and no success", async (scene) => {
  const { host, port } = new URL(demo.it.url);
  const plain = (accept) =>
    new Promise((resolve, reject) => {
      const request = get({ host: "127.0.0.1", port, path: "/api/notes", headers: { host, accept } }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (part) => (body += part));
        response.on("end", () => resolve({ status: response.statusCode, error: response.headers["p2claw-error"], body }));
      });
      request.on("error", reject);
    });
  const page = await plain("text/html");
  assert.equal(page.status, 200);
  assert.ok(page.body.includes("p2claw-app") && !page.body.includes("Marta"));
  const data = await plain("*/*");
  assert.deepEqual([data.status, data.error], [503, "NOT_TUNNELLED"]);
  assert.ok(data.body.length > 40, "it says how to reach the app");
  // Chromium does not ask service workers about synchronous requests.
  const app = await (await scene.visit(demo.it.url)).app();
  const sync = await app.evaluate(() => {
    const request = new XMLHttpRequest();
    request.open("GET", "/style.css", false);
    request.send();
    return { status: request.status, text: request.responseText };
  });
  assert.ok(sync.status === 503 || sync.text.startsWith(":root"), `status ${sync.status}: ${sync.text}`);
});

scenario("two tabs of one browser do not depend on each other", async (scene) => {
  const visitor = await scene.visitor();
  const first = await visitor.visit(demo.it.url);
  await first.app("#notes li");
  const second = await visitor.visit(`${demo.it.url}about`);
  const app = await second.app("#step");
  await first.page.close();
  for (let round = 0; round < 5; round++) assert.equal(await app.evaluate(async () => (await fetch("/api/notes")).status), 200);
  await second.page.reload({ waitUntil: "commit" });
  await second.settled();
  assert.equal(await text(await second.app("h1"), "h1"), "About this board");
});

scenario("the browser may stop the service worker at any time", async (scene) => {
  const visit = await (await scene.forgetfulVisitor()).visit(demo.it.url);
  const app = await visit.app("#live[data-state=live]");
  const stop = () => stopServiceWorkers(app, "/api/events?every=100");
  for (let round = 0; round < 3; round++) {
    await stop();
    assert.equal(await app.evaluate(async () => (await fetch("/api/notes")).status), 200);
  }
  await stop();
  await app.click("nav a[href='/about']");
  await until("the next page", async () => (await text(await visit.app("h1"), "h1")) === "About this board");
}, { timeout: 90_000 });

scenario("an app without an end of its stream is left behind by the next page", async (scene) => {
  // The board holds a live stream; leaving and coming back often must not use anything up.
  const visit = await scene.visit(demo.it.url);
  for (let round = 0; round < 12; round++) {
    await (await visit.app("#notes")).click("nav a[href='/about']");
    await (await visit.app("#step")).click("nav a[href='/']");
    await visit.app("#notes");
  }
  const app = await visit.app("#live[data-state=live]");
  await until("the other streams to be closed", async () => /, 1 guest /.test(await text(app, "#live-text")), { timeout: 40_000 });
});
