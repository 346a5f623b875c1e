// Apps that nobody here wrote: stock Vite templates on the stock dev server, exposed as they are.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
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
  const program = new Program(`vite ${template}`, process.execPath, args, { cwd: scaffold(template), env: { HOME: temporary("home") } });
  await program.line("its address", (line) => line.includes(`:${port}`), 40_000);
  return { program, port };
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
      // The hot-reload socket may wait; anything else uncaught breaks the page.
      const uncaught = visitor.errors.filter((error) => !/websocket/i.test(error));
      assert.deepEqual(uncaught, []);
      await visit.page.reload({ waitUntil: "commit" });
      await visit.settled();
      await visit.app(counter);
    },
    { timeout: 90_000 },
  );
}
