// WebSockets of an app go through the tunnel, and behave as the browser's own.
import assert from "node:assert/strict";
import { Pieces } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";
import { SCRIPTS, run } from "../harness/socket-scripts.mjs";
import { FLOOD_MESSAGE, Sockets } from "../harness/sockets.mjs";
import { Upstream } from "../harness/upstream.mjs";

const MIB = 1024 * 1024;
const BIG = 48 * MIB;
const PAGE = "<!doctype html><meta charset=utf-8><title>Sockets</title><h1 id=hello>Sockets</h1>";

const sockets = new Sockets();
const upstream = new Upstream((request, response) => {
  const { pathname } = new URL(request.url, "http://upstream");
  if (pathname === "/big") return void response.writeHead(200, { "content-length": String(BIG) }).end(Buffer.alloc(BIG, "p2claw")) || true;
  if (pathname === "/isolated") {
    response.writeHead(200, { "content-type": "text/html", "document-isolation-policy": "isolate-and-require-corp" }).end(PAGE);
    return true;
  }
  if (pathname === "/alone") {
    // As strict as an app can be.
    response.writeHead(200, { "content-type": "text/html", "content-security-policy": "default-src 'none'; connect-src 'self'" }).end(PAGE);
    return true;
  }
  return false;
});

const pieces = shared(async () => {
  await upstream.listen();
  sockets.attach(upstream);
  const running = await new Pieces().start();
  return {
    running,
    url: await running.expose("sockets", upstream.port),
    stop: async () => {
      await running.stop();
      await upstream.stop();
    },
  };
});

/** The address of the app, or the upstream's own, which no tunnel stands before. */
const direct = () => `http://127.0.0.1:${upstream.port}/`;

/** A tab that shows the app itself, without a tunnel. */
async function withoutTunnel(scene) {
  const visitor = await scene.visitor();
  const page = await visitor.context.newPage();
  await page.goto(direct());
  return page;
}

for (const [name, script] of Object.entries(SCRIPTS)) {
  // BRO-020, WSK-001, WSK-003, WSK-004, WSK-006, WSK-013, WSK-020, WSK-021, WSK-022, WSK-023
  scenario(`${name}: the same as without a tunnel (BRO-021)`, async (scene) => {
    const expected = await run(await withoutTunnel(scene), script);
    assert.ok(!expected.some((line) => line.startsWith("failed")), expected.join("\n"));
    const seen = await run(await (await scene.visit(pieces.it.url)).app("#hello"), script);
    assert.deepEqual(seen, expected);
  });
}

scenario("the handshake is a browser's, with the app's cookies, and its cookies are kept (BRO-022, WSK-002)", async (scene) => {
  const app = await (await scene.visit(pieces.it.url)).app("#hello");
  const seen = await app.evaluate(async () => {
    document.cookie = "own=1; Path=/";
    document.cookie = "elsewhere=1; Path=/elsewhere";
    const socket = new WebSocket("/cookies?x=y", ["a", "b"]);
    const event = await new Promise((resolve) => (socket.onmessage = resolve));
    const cookies = document.cookie.split("; ").sort();
    socket.close();
    return { headers: JSON.parse(event.data), cookies, userAgent: navigator.userAgent, protocol: socket.protocol };
  });
  const { headers } = seen;
  assert.equal(headers.cookie, "own=1");
  assert.deepEqual(seen.cookies, ["own=1", "socket=warm"], "HttpOnly stays hidden");
  assert.equal(headers.origin, `http://localhost:${upstream.port}`, "as the app's own page would say");
  assert.equal(headers["user-agent"], seen.userAgent);
  assert.match(headers["accept-language"], /^en-US/);
  assert.equal(headers["sec-websocket-protocol"], "a, b");
  assert.equal(headers["sec-websocket-extensions"], undefined);
  assert.equal(headers["x-forwarded-host"], new URL(pieces.it.url).host);
  assert.equal(sockets.handshakes.at(-1).url, "/cookies?x=y");
  assert.equal(seen.protocol, "b");
});

scenario("many at once, each with its own echo (BRO-020)", async (scene) => {
  const app = await (await scene.visit(pieces.it.url)).app("#hello");
  const began = Date.now();
  const wrong = await app.evaluate(async () => {
    const all = Array.from({ length: 60 }, (_, n) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`/echo?${n}`);
        let got = 0;
        socket.onopen = () => {
          for (let k = 0; k < 20; k++) socket.send(`${n} ${k}`);
        };
        socket.onmessage = ({ data }) => {
          if (data !== `${n} ${got}`) resolve(`${n}: ${data}`);
          got += 1;
          if (got === 20) socket.close();
        };
        socket.onclose = ({ code, wasClean }) => resolve(code === 1005 && wasClean && got === 20 ? undefined : `${n}: ${code} after ${got}`);
      }));
    // Requests have their way beside them.
    const statuses = await Promise.all(Array.from({ length: 20 }, async (_, n) => (await fetch(`/page?${n}`)).status));
    return [...(await Promise.all(all)), ...statuses.map((status) => (status === 200 ? undefined : `status ${status}`))].filter(Boolean);
  });
  scene.note(`60 WebSockets with 20 messages each in ${Date.now() - began} ms`);
  assert.deepEqual(wrong, []);
  await until("the server to have none left", () => sockets.of("/echo").length === 0);
});

scenario("beside a big download it stays quick (SES-081, SES-082)", async (scene) => {
  const app = await (await scene.visit(pieces.it.url)).app("#hello");
  const seen = await app.evaluate(async (total) => {
    const socket = new WebSocket("/echo");
    await new Promise((resolve) => (socket.onopen = resolve));
    const echo = async () => {
      const began = performance.now();
      socket.send("x");
      await new Promise((resolve) => (socket.onmessage = resolve));
      return performance.now() - began;
    };
    const idle = [];
    for (let n = 0; n < 20; n++) idle.push(await echo());
    let received = 0;
    const download = (async () => {
      const reader = (await fetch("/big")).body.getReader();
      for (let step = await reader.read(); !step.done; step = await reader.read()) received += step.value.length;
    })();
    while (received === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const busy = [];
    while (received < total) busy.push(await echo());
    await download;
    socket.close();
    return { idle, busy };
  }, BIG);
  const middle = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
  scene.note(`an echo takes ${middle(seen.idle).toFixed(1)} ms, beside a download ${middle(seen.busy).toFixed(1)} ms, at most ${Math.max(...seen.busy).toFixed(0)} ms (${seen.busy.length} of them)`);
  assert.ok(seen.busy.length > 10, "the download took long enough to compare");
  assert.ok(middle(seen.busy) < 200, `${middle(seen.busy)} ms`);
}, { timeout: 90_000 });

scenario("a page that does not take its messages holds the app back, and then has them all (BRO-023, SES-045)", async (scene) => {
  const app = await (await scene.visit(pieces.it.url)).app("#hello");
  const messages = 400;
  const [seen, written] = await Promise.all([
    app.evaluate(async (count) => {
      const socket = new WebSocket(`/flood?messages=${count}`);
      socket.binaryType = "arraybuffer";
      await new Promise((resolve) => (socket.onopen = resolve));
      const until = Date.now() + 3_000;
      while (Date.now() < until);
      let next = 0;
      let wrong = 0;
      await new Promise((resolve) => {
        socket.onmessage = ({ data }) => {
          if (new DataView(data).getUint32(0) !== next) wrong += 1;
          next += 1;
          if (next === count) resolve();
        };
      });
      socket.close();
      return { next, wrong };
    }, messages),
    (async () => {
      const [peer] = await until("the flood", () => sockets.of("/flood").length === 1 && sockets.of("/flood"));
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return peer.flushed * FLOOD_MESSAGE;
    })(),
  ]);
  scene.note(`${(written / MIB).toFixed(1)} MiB of ${(messages * FLOOD_MESSAGE / MIB).toFixed(0)} had left the app while the page was busy`);
  assert.deepEqual(seen, { next: messages, wrong: 0 });
  assert.ok(written < 12 * MIB, "windows and socket buffers, and no more");
}, { timeout: 90_000 });

scenario("bufferedAmount falls as the app reads (BRO-023, SES-042)", async (scene) => {
  const app = await (await scene.visit(pieces.it.url)).app("#hello");
  const total = 20 * MIB;
  await app.evaluate(async (bytes) => {
    window.socket = new WebSocket("/echo-slowly");
    await new Promise((resolve) => (window.socket.onopen = resolve));
    window.echoed = 0;
    window.socket.binaryType = "arraybuffer";
    window.socket.onmessage = ({ data }) => (window.echoed += data.byteLength);
    window.before = window.socket.bufferedAmount;
  }, total);
  const [peer] = sockets.of("/echo-slowly");
  peer.pause();
  const buffered = () => app.evaluate(() => window.socket.bufferedAmount);
  assert.equal(await app.evaluate((bytes) => {
    for (let sent = 0; sent < bytes; sent += 1_048_576) window.socket.send(new Uint8Array(1_048_576));
    return window.socket.bufferedAmount;
  }, total), total);
  let last = total;
  await until("it to stand still", async () => {
    const now = await buffered();
    const still = now === last && now < total;
    assert.ok(now <= last, "it never grows");
    last = now;
    return still;
  }, { every: 500 });
  scene.note(`${((total - last) / MIB).toFixed(1)} MiB had left for an app that does not read`);
  assert.ok(last > total / 2, "what the app does not read stays here");
  peer.resume();
  await until("it to be 0", async () => (await buffered()) === 0, { timeout: 30_000 });
  await until("the echo", () => app.evaluate((bytes) => window.echoed === bytes, total), { timeout: 30_000 });
}, { timeout: 90_000 });

scenario("a page that is left closes its WebSockets with 1001 (BRO-024)", async (scene) => {
  const visit = await scene.visit(pieces.it.url);
  const connect = async (path) => {
    const app = await visit.app("#hello");
    await app.evaluate(async (url) => {
      window.socket = new WebSocket(url);
      await new Promise((resolve) => (window.socket.onopen = resolve));
      addEventListener("pagehide", () => window.socket.send("bye"));
    }, path);
    const [peer] = sockets.of(path);
    const heard = [];
    peer.on("message", (data) => heard.push(String(data)));
    return { app, heard };
  };
  const gone = (path) => until(`${path} to be closed`, () => sockets.codes(path)[0]);

  const navigated = await connect("/left/by-a-link");
  await navigated.app.evaluate(() => {
    location.href = "/next";
  });
  assert.equal(await gone("/left/by-a-link"), 1001);
  assert.deepEqual(navigated.heard, ["bye"], "its last words arrive");
  await visit.at("/next");

  await connect("/left/by-a-reload");
  await (await visit.app("#hello")).evaluate(() => location.reload());
  assert.equal(await gone("/left/by-a-reload"), 1001);

  const app = await visit.app("#hello");
  await app.evaluate(async () => {
    const frame = document.createElement("iframe");
    frame.src = "/inner";
    document.body.append(frame);
    await new Promise((resolve) => (frame.onload = resolve));
    const socket = new frame.contentWindow.WebSocket("/left/with-its-frame");
    await new Promise((resolve) => (socket.onopen = resolve));
    frame.remove();
  });
  assert.equal(await gone("/left/with-its-frame"), 1001);

  // One that is still being opened.
  await app.evaluate(() => void new WebSocket("/unanswered"));
  await until("the server to be asked", () => sockets.unanswered.waiting === 1);
  await app.evaluate(() => void (location.href = "/last"));
  await visit.at("/last");
  await until("the server to be rid of it", () => sockets.unanswered.gone === 1);

  await connect("/left/with-the-tab");
  await visit.page.close();
  assert.ok([1001, 1006].includes(await gone("/left/with-the-tab")));
});

function echo(frame) {
  return frame.evaluate(async () => {
    const socket = new WebSocket("/echo");
    return new Promise((resolve) => {
      socket.onopen = () => socket.send("hello");
      socket.onmessage = ({ data }) => (resolve(data), socket.close());
      socket.onclose = ({ code }) => resolve(code);
    });
  });
}

scenario("frames without an address and strict pages have WebSockets as well (BRO-020)", async (scene) => {
  const visitor = await scene.visitor();
  const visit = await visitor.visit(pieces.it.url);
  const app = await visit.app("#hello");
  const blank = await app.evaluate(async () => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const socket = new frame.contentWindow.WebSocket("/echo");
    const data = await new Promise((resolve) => {
      socket.onopen = () => socket.send("blank");
      socket.onmessage = resolve;
    });
    return [data.data, data instanceof frame.contentWindow.MessageEvent, socket instanceof frame.contentWindow.WebSocket];
  });
  assert.deepEqual(blank, ["blank", true, true]);
  assert.equal(await echo(await (await visitor.visit(new URL("/alone", pieces.it.url).href)).app("#hello")), "hello");
});

scenario("isolated pages have WebSockets as well (BRO-020)", async (scene) => {
  const isolated = await (await scene.visit(new URL("/isolated", pieces.it.url).href)).app("#hello");
  assert.equal(await isolated.evaluate(() => {
    try {
      return String(top.location.href);
    } catch {
      return "out of reach";
    }
  }), "out of reach");
  assert.equal(await echo(isolated), "hello");
});

scenario("when the session is lost every WebSocket closes with 1006, and new ones go through the next (WSK-022)", async (scene) => {
  const visit = await scene.visit(pieces.it.url);
  const app = await visit.app("#hello");
  await app.evaluate(async () => {
    window.closes = [];
    for (let n = 0; n < 3; n++) {
      const socket = new WebSocket("/echo");
      socket.onclose = ({ code, wasClean }) => window.closes.push([code, wasClean]);
      await new Promise((resolve) => (socket.onopen = resolve));
    }
  });
  const { running } = pieces.it;
  await running.agent.crash();
  running.startAgent();
  await until("three closes", () => app.evaluate(() => window.closes.length === 3), { timeout: 75_000 });
  assert.deepEqual(await app.evaluate(() => window.closes), Array(3).fill([1006, false]));
  // It may be offline for a moment: the agent is only starting.
  await until("the next session", async () => (await visit.shell()).state === "open", { timeout: 40_000 });
  const echoed = await until("a WebSocket on the new session", () => app.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket("/echo");
    socket.onopen = () => socket.send("again");
    socket.onmessage = ({ data }) => (resolve(data), socket.close());
    socket.onclose = () => resolve(undefined);
  })), { timeout: 40_000 });
  assert.equal(echoed, "again");
}, { timeout: 150_000 });

scenario("an agent that stops says 1001 (WSK-024)", async (scene) => {
  const visit = await scene.visit(pieces.it.url);
  const app = await visit.app("#hello");
  await app.evaluate(async () => {
    const socket = new WebSocket("/echo");
    socket.onclose = ({ code, wasClean }) => (window.close_ = [code, wasClean]);
    await new Promise((resolve) => (socket.onopen = resolve));
  });
  const { running } = pieces.it;
  await running.agent.stop();
  assert.deepEqual(await until("the close", () => app.evaluate(() => window.close_)), [1001, true]);
  running.startAgent();
}, { timeout: 90_000 });
