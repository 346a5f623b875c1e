// What an app may expect of a browser: cookies, policies, ranges, caches, and other sites around it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { engine } from "../harness/engine.mjs";
import { startDemo } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { Upstream } from "../harness/upstream.mjs";

const SCRIPT = 'document.body.dataset.script = "ran"';
const HASH = `'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`;
const DIGITS = Buffer.from("0123456789".repeat(1_000));
const ETAG = '"digits"';
let evil;

function app(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://upstream");
  const html = (body, fields = {}) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...fields }).end(`<!doctype html><title>App</title><body><h1 id="hello">App</h1>${body}`);
    return true;
  };
  switch (pathname) {
    case "/login":
      return html("", { "set-cookie": ["session=secret; Path=/; HttpOnly; SameSite=Strict", "lax=1; Path=/; SameSite=Lax", "seen=1; Path=/", "gone=1; Path=/; Max-Age=0"] });
    case "/cookies":
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(request.headers.cookie ?? ""));
      return true;
    case "/strict":
      return html(`<script>${SCRIPT}</script><script>document.body.dataset.other = "ran"</script><iframe id="inner" src="/inner"></iframe>`, {
        "content-security-policy": `default-src 'none'; script-src ${HASH}; frame-src 'self'; frame-ancestors 'none'`,
        "x-frame-options": "DENY",
      });
    case "/busts":
      // Nobody has clicked anything; but Playwright counts as somebody who has, in Firefox.
      return html(`<script>
        const timer = setInterval(() => {
          if (navigator.userActivation.isActive) return;
          clearInterval(timer);
          const tried = [() => top.location.replace("/?away"), () => (top.location.href = "/?away")].map((attempt) => {
            try {
              return attempt();
            } catch (error) {
              return error.name;
            }
          });
          fetch("/tried?" + tried);
        }, 20);
      </script>`);
    case "/inner":
      return html("inner", { "content-security-policy": "frame-ancestors https://nobody.example" });
    case "/digits": {
      response.setHeader("etag", ETAG);
      response.setHeader("content-type", "text/plain");
      if (request.headers["if-none-match"] === ETAG) return void response.writeHead(304).end() || true;
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
      if (!range) return void response.end(DIGITS) || true;
      const [from, to] = range.slice(1).map(Number);
      response.writeHead(206, { "content-range": `bytes ${from}-${to}/${DIGITS.length}`, "content-length": to - from + 1 });
      response.end(DIGITS.subarray(from, to + 1));
      return true;
    }
    case "/away":
      response.writeHead(302, { location: `http://127.0.0.1:${evil.port}/landed` }).end();
      return true;
    case "/embeds":
      return html(`<iframe name="guest" src="http://127.0.0.1:${evil.port}/guest?to=${encodeURIComponent(searchParams.get("to"))}"></iframe>`);
    case "/transfer":
      return html("transferred");
    case "/form":
      return html('<form method="post" action="/transfer"><button>Send</button></form>', { "referrer-policy": searchParams.get("policy") });
    default:
      return false;
  }
}

const upstream = new Upstream(app);
evil = new Upstream((request, response) => {
  const to = new URL(request.url, "http://evil").searchParams.get("to");
  const form = to ? `<form method="post" action="${to}"><input name="a" value="1"></form><script>document.forms[0].submit()</script>` : "<h1>Another site</h1>";
  response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html>${form}`);
  return true;
});
const demo = shared(async () => {
  await Promise.all([upstream.listen(), evil.listen()]);
  const running = await startDemo("--upstream", `127.0.0.1:${upstream.port}`);
  const stop = async () => {
    await running.stop();
    await Promise.all([upstream.stop(), evil.stop()]);
  };
  return { ...running, stop };
});

const cookiesOf = (frame) => frame.evaluate(async () => (await (await fetch("/cookies")).json()).split("; ").sort());
const lastTo = (path) => upstream.requests.filter(({ url }) => url === path).at(-1)?.headers;

// BRO-011
scenario("cookies of the app come back to it, and go nowhere else", async (scene) => {
  const visitor = await scene.visitor();
  const visit = await visitor.visit(`${demo.it.url}login`);
  const app = await visit.app("#hello");
  assert.deepEqual(await cookiesOf(app), ["lax=1", "seen=1", "session=secret"]);
  assert.equal(await app.evaluate(() => document.cookie), "lax=1; seen=1", "scripts do not see HttpOnly ones");
  await app.evaluate(() => {
    document.cookie = "mine=2; path=/";
    document.cookie = "session=forged; path=/";
  });
  assert.deepEqual(await cookiesOf(app), ["lax=1", "mine=2", "seen=1", "session=secret"]);
  assert.equal(await app.evaluate(async () => (await (await fetch("/cookies", { credentials: "omit" })).json())), "");
  // They outlive the tab.
  await visit.page.close();
  const again = await visitor.visit(demo.it.url);
  assert.deepEqual(await cookiesOf(await again.app("#hello")), ["lax=1", "mine=2", "seen=1", "session=secret"]);
  assert.deepEqual(await visitor.context.cookies(), [], "none is a cookie of the browser, which would go to the edge");
});

// BRO-011
scenario("frames without an address share the cookies of their page", async (scene) => {
  const visitor = await scene.visitor();
  const visit = await visitor.visit(`${demo.it.url}login`);
  const app = await visit.app("#hello");
  const seen = await app.evaluate(async () => {
    const blank = document.body.appendChild(document.createElement("iframe"));
    blank.contentDocument.cookie = "blank=1; path=/";
    const written = (set) =>
      new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.onload = () => resolve(frame.contentDocument.body.innerText);
        set(frame, "<script>document.cookie = 'srcdoc=1; path=/'; document.write(document.cookie)</script>");
        document.body.append(frame);
      });
    const property = await written((frame, html) => (frame.srcdoc = html));
    const attribute = await written((frame, html) => frame.setAttribute("srcdoc", html));
    return { blank: blank.contentWindow.document.cookie, property, attribute, page: document.cookie };
  });
  const all = "lax=1; seen=1; blank=1; srcdoc=1";
  assert.deepEqual(seen, { blank: all, property: all, attribute: all, page: all });
  assert.deepEqual(await visitor.context.cookies(), []);
});

// BRO-012, BRO-052, BRO-054
scenario("an app with a strict policy runs under it", async (scene) => {
  const visitor = await scene.visitor();
  const visit = await visitor.visit(`${demo.it.url}strict`);
  const app = await visit.app("#hello");
  assert.deepEqual(await app.evaluate(() => ({ ...document.body.dataset })), { script: "ran" }, "its own script runs, and no other one");
  await visit.at("/strict");
  await until("the shim to be at work", () => app.evaluate(() => navigator.serviceWorker === undefined));
  const inner = await until("the page in the page", () => app.childFrames()[0]);
  await until("its content", async () => (await inner.evaluate(() => document.body.innerText)).includes("inner"));
  // What keeps other sites from framing it is narrowed, not lifted.
  const policies = await inner.evaluate(async () => {
    const { headers } = await fetch("/strict");
    return [headers.get("x-frame-options"), headers.get("content-security-policy").split("; ").at(-1)];
  });
  assert.deepEqual(policies, ["SAMEORIGIN", "frame-ancestors 'self'"]);
});

scenario("ranges and conditional requests pass through", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app("#hello");
  const seen = await app.evaluate(async () => {
    const part = await fetch("/digits", { headers: { range: "bytes=5-14" } });
    const whole = await fetch("/digits");
    const same = await fetch("/digits", { headers: { "if-none-match": whole.headers.get("etag") }, cache: "no-store" });
    return {
      part: [part.status, part.headers.get("content-range"), await part.text()],
      whole: [whole.status, (await whole.text()).length],
      same: [same.status, await same.text()],
    };
  });
  assert.deepEqual(seen, { part: [206, "bytes 5-14/10000", "5678901234"], whole: [200, 10_000], same: [304, ""] });
});

// BRO-006, BRO-048
scenario("a redirect to another site takes the whole tab there, and Back returns", async (scene) => {
  const visit = await scene.visit(demo.it.url);
  const app = await visit.app("#hello");
  await app.evaluate(() => {
    location.href = "/away";
  });
  await until("the other site", () => visit.page.url() === `http://127.0.0.1:${evil.port}/landed`);
  await visit.page.goBack({ waitUntil: "commit" });
  await visit.settled();
  await visit.app("#hello");
});

// HTP-022, BRO-015
scenario("a form that another site sends into the app's frame says where it comes from", async (scene) => {
  const visitor = await scene.visitor();
  await (await visitor.visit(`${demo.it.url}login`)).app("#hello");
  const to = `${demo.it.url}transfer`;
  const visit = await visitor.visit(`${demo.it.url}embeds?to=${encodeURIComponent(to)}`);
  await visit.app("#hello");
  const headers = await until("the form to arrive", () => lastTo("/transfer"));
  // Firefox does not show the origin to a service worker.
  assert.equal(headers.origin, engine === "firefox" ? "null" : `http://127.0.0.1:${evil.port}`);
  assert.equal(headers["sec-fetch-site"], "cross-site");
  assert.equal(headers.cookie, undefined, "SameSite holds: Strict, Lax and what is Lax by default");
});

// HTP-022, BRO-015
for (const policy of ["strict-origin-when-cross-origin", "no-referrer"]) {
  scenario(`a form of the app's own is known as such (${policy})`, async (scene) => {
    const visitor = await scene.visitor();
    await (await visitor.visit(`${demo.it.url}login`)).app("#hello");
    const visit = await visitor.visit(`${demo.it.url}form?policy=${policy}`);
    const began = upstream.requests.length;
    await (await visit.app("button")).click("button");
    const headers = await until("the form to arrive", () => upstream.requests.slice(began).find(({ url, method }) => url === "/transfer" && method === "POST")?.headers);
    const own = `http://127.0.0.1:${upstream.port}`;
    assert.equal(headers.origin, policy === "no-referrer" ? "null" : own);
    assert.equal(headers["sec-fetch-site"], "same-origin");
    assert.match(headers.cookie, /session=secret/);
    await visit.at("/transfer");
  });
}

// BRO-051
scenario("the client's script leaves nothing behind in the app's documents", async (scene) => {
  const app = await (await scene.visit(demo.it.url)).app("#hello");
  const direct = await (await scene.visitor()).context.newPage();
  await direct.goto(`http://127.0.0.1:${upstream.port}/`);
  // What Playwright leaves behind is not ours.
  const look = (frame) => frame.evaluate(() => ({ html: document.documentElement.outerHTML, names: Object.getOwnPropertyNames(window).filter((name) => !name.startsWith("__pw")) }));
  const [seen, plain] = [await look(app), await look(direct)];
  assert.equal(seen.html, plain.html);
  assert.deepEqual(seen.names.filter((name) => !plain.names.includes(name)), [], "no new names");
  assert.deepEqual(plain.names.filter((name) => !seen.names.includes(name)).sort(), ["CookieStore", "WebSocketStream", "cookieStore"].filter((name) => plain.names.includes(name) && !seen.names.includes(name)));
});

// BRO-053
scenario("the app's frame is of its own origin, may do what a tab may, and cannot lead the tab away by itself", async (scene) => {
  const visit = await scene.visit(new URL("/busts", demo.it.url).href);
  const tried = await until("the page to have tried", () => upstream.requests.find(({ url }) => url.startsWith("/tried?")));
  assert.equal(tried.url, "/tried?SecurityError,SecurityError");
  const app = await visit.app("#hello");
  const seen = await app.evaluate(() => {
    localStorage.setItem("mine", "1");
    return { origin: window.origin === location.origin, framed: top !== window, stored: localStorage.getItem("mine") };
  });
  assert.deepEqual(seen, { origin: true, framed: true, stored: "1" });
  await visit.at("/busts");
});
