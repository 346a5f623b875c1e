/** What the shell itself shows: a small status while connecting, a whole page when that fails. */
import { explain } from "./explanations.ts";
import type { Path } from "./path.ts";

/** Read by automation: `data-p2claw` on the root element. */
export type ShellState = "connecting" | "open" | "refused" | "offline" | "failed";

/** A path that a visitor should know of is named for this long. */
const NOTICE_MS = 5_000;
/** A connection that takes no longer than this is not worth a word. */
const STATUS_AFTER_MS = 400;

export class Screen {
  readonly #root = document.documentElement;
  readonly #status: HTMLElement;
  readonly #page: HTMLElement;
  #path: Path | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#status = byId("p2claw-status");
    this.#page = byId("p2claw-page");
  }

  /** `code`: why, for the states that need a reason. */
  setState(state: ShellState, code?: string): void {
    this.#root.dataset["p2claw"] = state;
    if (code === undefined) delete this.#root.dataset["p2clawReason"];
    else this.#root.dataset["p2clawReason"] = code;
  }

  /** Says which way the session goes; `undefined`: there is none. Read by automation: `data-p2claw-path`. */
  setPath(path: Path | "lost" | undefined): void {
    if (path === undefined) delete this.#root.dataset["p2clawPath"];
    else this.#root.dataset["p2clawPath"] = path;
    if (path === "lost") return;
    const before = this.#path;
    this.#path = path;
    if (path === undefined) return;
    this.clearStatus();
    // The usual needs no word.
    if (path === "direct" ? before === undefined || before === "direct" : before === path) return;
    this.status(path === "direct" ? "Connected directly" : "Connected through a relay", true);
    this.#timer = setTimeout(() => this.clearStatus(), NOTICE_MS);
  }

  /** Shows a line of status, at once or if it still holds after a moment. */
  status(text: string, atOnce = false): void {
    clearTimeout(this.#timer);
    const show = (): void => {
      this.#status.textContent = text;
      this.#status.hidden = false;
    };
    if (atOnce || !this.#status.hidden) show();
    else this.#timer = setTimeout(show, STATUS_AFTER_MS);
  }

  clearStatus(): void {
    clearTimeout(this.#timer);
    this.#status.hidden = true;
  }

  /** Whether an explanation covers the app. */
  get hasPage(): boolean {
    return !this.#page.hidden;
  }

  /** The app is there: the canvas is its own. */
  showApp(): void {
    this.#root.dataset["app"] = "";
    this.clearPage();
  }

  clearPage(): void {
    this.#page.hidden = true;
    this.#page.replaceChildren();
  }

  /** Covers everything with an explanation; `retry` adds a button. */
  showPage(code: string, facts: readonly [label: string, value: string][], retry?: () => void): void {
    const { title, happened, means, todo, alarm } = explain(code);
    this.clearStatus();
    document.title = title;
    this.#page.classList.toggle("alarm", alarm === true);
    const parts: HTMLElement[] = [
      element("h1", title),
      element("p", happened),
      element("h2", "What it means"),
      element("p", means),
      element("h2", "What you can do"),
      element("p", todo),
    ];
    if (facts.length > 0) parts.push(list(facts));
    if (retry) {
      const button = element("button", "Try again now");
      button.addEventListener("click", retry);
      const line = element("p", "");
      line.append(button);
      parts.push(line);
    }
    const note = element("p", `${location.host} · ${code}`);
    note.className = "code";
    parts.push(note);
    this.#page.replaceChildren(...parts);
    this.#page.hidden = false;
  }
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the shell has no #${id}`);
  return found;
}

function element(name: string, text: string): HTMLElement {
  const result = document.createElement(name);
  result.textContent = text;
  return result;
}

function list(facts: readonly [string, string][]): HTMLElement {
  const result = document.createElement("dl");
  for (const [label, value] of facts) result.append(element("dt", label), element("dd", value));
  return result;
}
