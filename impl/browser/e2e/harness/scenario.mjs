// A test with a browser: visitors are closed when it ends, and a failure leaves evidence behind.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, Visitor } from "./browser.mjs";
import { temporary } from "./place.mjs";
import { within } from "./poll.mjs";
import { lastWords } from "./program.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
});

/** Something that all scenarios of a file use: started before them, stopped after them. */
export function shared(start) {
  const holder = {};
  before(async () => Object.assign(holder, { it: await start() }));
  after(async () => {
    await holder.it?.stop();
  });
  return holder;
}

class Scene {
  #visitors = [];
  #closers = [];

  constructor(t) {
    this.t = t;
  }

  /** Says a measured number in the test's report. */
  note(text) {
    this.t.diagnostic(text);
  }

  /** A new visitor, who knows nothing of the others. */
  async visitor(options = {}) {
    const visitor = new Visitor(await browser.newContext(options));
    this.#visitors.push(visitor);
    return visitor;
  }

  /** A new visitor who has opened `url`. */
  async visit(url, state = "open") {
    return (await this.visitor()).visit(url, state);
  }

  /** `close` runs when the scenario is over. */
  finally(close) {
    this.#closers.push(close);
  }

  /** Screenshots, console and the servers' last lines. */
  async evidence(error) {
    const folder = temporary("failed", { keep: true });
    const console = this.#visitors.flatMap((visitor) => [...visitor.errors, ...visitor.console]);
    const shells = [];
    for (const page of this.#visitors.flatMap((visitor) => visitor.context.pages())) {
      await page.screenshot({ path: join(folder, `page-${shells.length}.png`), timeout: 5_000 }).catch(() => {});
      shells.push(await within("reading a page", 3_000, page.evaluate(() => `${location.href}: ${JSON.stringify(document.documentElement.dataset)}\n${document.body.innerText}`)).catch(String));
    }
    const report = [String(error.stack), "# Pages", ...shells, "# Console", ...console, "# Programs", lastWords()].join("\n");
    writeFileSync(join(folder, "report.txt"), report);
    // Of a CI machine nothing but its output is seen.
    this.note(process.env.CI ? report : `evidence in ${folder}`);
  }

  async close() {
    await Promise.allSettled(this.#visitors.map((visitor) => visitor.close()));
    for (const close of this.#closers.reverse()) await close();
  }
}

/** A test whose body gets a Scene. It fails by itself after `timeout`, in time to tell why. */
export function scenario(name, body, { timeout = 60_000 } = {}) {
  test(name, { timeout: timeout + 30_000 }, async (t) => {
    const scene = new Scene(t);
    try {
      await within(name, timeout, body(scene));
    } catch (error) {
      await scene.evidence(error);
      throw error;
    } finally {
      await scene.close();
    }
  });
}
