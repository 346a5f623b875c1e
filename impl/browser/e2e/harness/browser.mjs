// A visitor in the browser under test: a context of its own, as fresh as a private window.
import { until } from "./poll.mjs";

/** States in which a visit stays until something happens. */
const SETTLED = ["open", "refused", "offline", "failed"];

function readShell() {
  const { dataset } = document.documentElement;
  return { state: dataset.p2claw, reason: dataset.p2clawReason ?? "", text: document.body.innerText };
}

export class Visitor {
  /** Uncaught errors, and console messages of level error, of every page. */
  errors = [];
  console = [];

  constructor(context) {
    this.context = context;
    context.setDefaultTimeout(15_000);
  }

  async newPage() {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.errors.push(error.stack ?? error.message));
    page.on("console", (message) => this.console.push(`${message.type()}: ${message.text()}`));
    return new Visit(page);
  }

  /** Opens an address and waits until the visit has come to `state`. */
  async visit(url, state = "open") {
    const visit = await this.newPage();
    await visit.goto(url, state);
    return visit;
  }

  close() {
    return this.context.close();
  }
}

/** One tab: the shell, and the app in its frame. */
export class Visit {
  constructor(page) {
    this.page = page;
  }

  async goto(url, state = "open") {
    await this.page.goto(url, { waitUntil: "commit" });
    return this.settled(state);
  }

  shell() {
    return this.page.evaluate(readShell);
  }

  /** Waits for the end of the attempt and insists that it is `state`. */
  async settled(state = "open", timeout = 40_000) {
    const seen = await until(
      `the visit to be ${state}`,
      async () => {
        const shell = await this.shell();
        return SETTLED.includes(shell.state) && shell;
      },
      { timeout },
    );
    if (seen.state !== state) {
      throw new Error(`the visit is ${seen.state} (${seen.reason}), not ${state}; the page says: ${seen.text}`);
    }
    return seen;
  }

  /** The app's frame, whatever it shows: the only one of the shell's own. */
  get frame() {
    return this.page.mainFrame().childFrames()[0];
  }

  /** The app's frame, once `selector` is in it. */
  async app(selector = "body > *") {
    return until(`${selector} in the app`, async () => {
      const { frame } = this;
      const ready = await frame?.evaluate((wanted) => location.href !== "about:blank" && document.readyState === "complete" && document.querySelector(wanted) !== null, selector);
      return ready && !frame.url().includes("/.well-known/p2claw/") && frame;
    });
  }

  /** Waits until the address bar and the app both show `path` (path, query and fragment). */
  async at(path) {
    const tail = (href) => href && new URL(href).href.slice(new URL(href).origin.length);
    const read = () => ({ bar: tail(this.page.url()), app: tail(this.frame?.url()) });
    try {
      await until(path, () => read().bar === path && read().app === path);
    } catch (error) {
      throw new Error(`${error.message}; it is ${JSON.stringify(read())}`);
    }
  }

  back() {
    return this.page.evaluate(() => history.back());
  }

  forward() {
    return this.page.evaluate(() => history.forward());
  }
}
