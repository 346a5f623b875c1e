// Apps that nobody here wrote: stock Vite templates on the stock dev server, exposed as they are.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { freePort, here, temporary } from "../harness/place.mjs";
import { Program } from "../harness/program.mjs";
import { Pieces } from "../harness/stack.mjs";
import { scenario, shared } from "../harness/scenario.mjs";
import { until } from "../harness/poll.mjs";

const pieces = shared(() => new Pieces().start());
const installed = join(here, "node_modules");

/** What `npm create vite` makes, with the packages of this test suite as its node_modules. */
function scaffold(template) {
  const folder = temporary("vite");
  const create = spawnSync(process.execPath, [join(installed, "create-vite/index.js"), "app", "--template", template, "--no-interactive"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  assert.equal(create.status, 0, create.stderr);
  const app = join(folder, "app");
  // Links, not one link: Vite keeps its cache in the app's own node_modules.
  mkdirSync(join(app, "node_modules"));
  for (const name of readdirSync(installed).filter((entry) => !entry.startsWith("."))) {
    symlinkSync(join(installed, name), join(app, "node_modules", name));
  }
  return app;
}

async function startVite(template) {
  const port = await freePort();
  const args = [join(installed, "vite/bin/vite.js"), "--host", "127.0.0.1", "--port", String(port), "--strictPort"];
  const folder = scaffold(template);
  const program = new Program(`vite ${template}`, process.execPath, args, { cwd: folder, env: { HOME: temporary("home") } });
  await program.line("its address", (line) => line.includes(`:${port}`), 40_000);
  return { program, port, folder };
}

for (const { template, app: name, counter } of [
  { template: "vanilla-ts", app: "plain", counter: "#counter" },
  { template: "react-ts", app: "react", counter: "button.counter" },
]) {
  scenario(
    `the Vite template ${template} renders, and its assets load`,
    async (scene) => {
      const { program, port } = await startVite(template);
      scene.finally(() => program.stop());
      const url = await pieces.it.expose(name, port);
      const visitor = await scene.visitor();
      const visit = await visitor.visit(url);
      const app = await visit.app(counter);
      const images = await until("every image", () =>
        app.evaluate(() => {
          const all = [...document.images].map(({ src, complete, naturalWidth }) => ({ src, loaded: complete && naturalWidth > 0 }));
          return all.length > 0 && all.every(({ loaded }) => loaded) && all;
        }),
      );
      assert.ok(images.length >= 2, `${images.length} images`);
      const page = await app.evaluate(() => ({
        heading: document.querySelector("h1").textContent,
        styled: getComputedStyle(document.querySelector("h1")).margin,
        overlay: document.querySelector("vite-error-overlay") !== null,
        broken: performance.getEntriesByType("resource").filter(({ responseStatus }) => responseStatus >= 400).map(({ name }) => name),
      }));
      assert.ok(page.heading.length > 3);
      assert.equal(page.overlay, false);
      assert.deepEqual(page.broken, []);
      // The scripts are alive.
      assert.match(await app.textContent(counter), /\b0\b/);
      await app.click(counter);
      await until("the counter to count", async () => /\b1\b/.test(await app.textContent(counter)));
      assert.deepEqual(visitor.errors, []);
      await visit.page.reload({ waitUntil: "commit" });
      await visit.settled();
      await visit.app(counter);
    },
    { timeout: 90_000 },
  );
}

/** Changes a source of the app, as its author does who sits beside the dev server. */
function edit(folder, file, from, to) {
  const path = join(folder, "src", file);
  const source = readFileSync(path, "utf8");
  assert.ok(source.includes(from), `${file} has ${from}`);
  writeFileSync(path, source.replace(from, to));
}

// BRO-020, WSK-003, WSK-013
scenario(
  "Vite's hot updates come through the tunnel: styles, components with their state, and whole reloads (BRO-020)",
  async (scene) => {
    const { program, port, folder } = await startVite("react-ts");
    scene.finally(() => program.stop());
    const url = await pieces.it.expose("hot", port);
    const visitor = await scene.visitor();
    const visit = await visitor.visit(url);
    const connections = () => visitor.console.filter((line) => line.includes("[vite] connected")).length;
    const connects = (before) => until("Vite's client to connect", () => connections() > before);
    await visit.app("button.counter");
    await connects(0);
    // Vite bundles the packages that its first page asks for, and may have it reloaded then.
    await until("Vite to have bundled", () => existsSync(join(folder, "node_modules/.vite/deps/_metadata.json")));
    const before = connections();
    await visit.page.reload({ waitUntil: "commit" });
    await visit.settled();
    let app = await visit.app("button.counter");
    await connects(before);
    await app.click("button.counter");
    await app.evaluate(() => {
      window.sameDocument = true;
    });

    let began = Date.now();
    edit(folder, "index.css", ":root {", "h1 { word-spacing: 7px; }\n:root {");
    await until("the style", () => app.evaluate(() => getComputedStyle(document.querySelector("h1")).wordSpacing === "7px"), { every: 10 });
    scene.note(`a style was there after ${Date.now() - began} ms`);

    began = Date.now();
    edit(folder, "App.tsx", "Get started", "Hot from the oven");
    await until("the component", async () => (await app.textContent("h1")) === "Hot from the oven", { every: 10 });
    scene.note(`a component was there after ${Date.now() - began} ms`);
    assert.match(await app.textContent("button.counter"), /\b1\b/, "with its state");
    assert.equal(await app.evaluate(() => window.sameDocument), true);

    edit(folder, "main.tsx", "createRoot(", "document.title = 'Reloaded'\ncreateRoot(");
    await until("the whole page", async () => {
      app = await visit.app("button.counter");
      return app.evaluate(() => document.title === "Reloaded" && window.sameDocument === undefined);
    });
    assert.deepEqual(visitor.errors, []);
  },
  { timeout: 90_000 },
);
