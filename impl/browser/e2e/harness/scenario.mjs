// A test with a browser: visitors are closed when it ends, and a failure leaves evidence behind.
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { KNOWN_FAILURES } from "../known-failures.mjs";
import { Visitor } from "./browser.mjs";
import { engine, launch } from "./engine.mjs";
import { temporary } from "./place.mjs";
import { within } from "./poll.mjs";
import { lastWords } from "./program.mjs";
import { rtc } from "./stack.mjs";

/** Reasons of the known failures of this file in this browser on this stack, by name. */
const known = new Map(
  KNOWN_FAILURES.filter((one) => `${one.file}.test.mjs` === basename(process.argv[1]))
    .filter((one) => (one.browser ?? engine) === engine && (one.rtc ?? rtc) === rtc)
    .map(({ name, reason, upstream }) => [name, `${reason} (${upstream})`]),
);

let browser;
/** Started when it is first asked for. */
let forgetful;
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await (await forgetful)?.close();
});
// It runs when all scenarios have been told of.
if (known.size > 0) {
  test("every known failure is a scenario of this file", () => {
    if (known.size > 0) throw new Error(`there is no scenario called ${[...known.keys()].join(" or ")}`);
  });
}

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
    return this.#visitor(browser, options);
  }

  /** One in a browser for `stopServiceWorkers`. */
  async forgetfulVisitor() {
    forgetful ??= launch({ forgetful: true });
    return this.#visitor(await forgetful, {});
  }

  async #visitor(from, options) {
    const visitor = new Visitor(await from.newContext(options));
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
export function scenario(name, body, { timeout = 120_000 } = {}) {
  const reason = known.get(name);
  known.delete(name);
  test(name, { timeout: timeout + 30_000 }, async (t) => {
    const scene = new Scene(t);
    try {
      await within(name, timeout, body(scene));
    } catch (error) {
      if (reason === undefined) await scene.evidence(error);
      // Counted apart, and not as a failure.
      else t.todo(`known failure: ${reason}`);
      throw error;
    } finally {
      await scene.close();
    }
    if (reason !== undefined) throw new Error(`this known failure passes; take it off the list: ${reason}`);
  });
}
