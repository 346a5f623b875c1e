/**
 * Which tab a request belongs to. Pages are told apart by client ids, which nobody but a service worker
 * sees; so shells announce what their frame is about to ask for, and pages are asked where the memory
 * of it is gone with an earlier life of this worker.
 */
import { type FromServiceWorker, PORT_VERSION, type ServiceWorkerToPage } from "../port/messages.ts";

declare const self: ServiceWorkerGlobalScope;

/** A page that is not busy answers within this time. */
const ANSWER_MS = 500;
/** An announcement is hardly later than its request, which waits for it where it matters. */
const ANNOUNCED_MS = 100;
/** A request that has been there for longer than this is none that is announced only now. */
const YOUNG_MS = 1_000;
/** Pages remembered; the oldest go first. */
const MAX_PAGES = 500;

/** Who asked; "" where a client is not known. */
export interface Asker {
  page: string;
  /** The document that a navigation makes. */
  newPage: string;
  /** Address of the page that asked. */
  referrer: string;
  /** The request is meant to outlive its page. */
  keepalive: boolean;
  /** The shell whose frame navigates, where it said so. */
  shell: string | undefined;
}

/** What a shell has announced. */
interface Expectation {
  readonly shell: string;
  /** As the shell named it. */
  readonly url: string;
  /** Where redirects have led since. */
  next: string;
  readonly by: "app" | "shell";
  /** The request that asks for it. */
  navigation: Navigation | undefined;
}

/** One request for a document in a frame. */
export class Navigation {
  readonly url: string;
  readonly #began = Date.now();
  readonly #giveUp: () => void;
  #announce: () => void = () => undefined;
  /** Its announcement, which the browser may bring later than the request. */
  expected: Expectation | undefined;
  readonly #announced: Promise<void>;

  /** `giveUp` is called when its frame begins another one, or none. */
  constructor(url: string, giveUp: () => void) {
    this.url = withoutFragment(url);
    this.#giveUp = giveUp;
    this.#announced = new Promise((resolve) => (this.#announce = resolve));
  }

  /** Waits a moment for the announcement. */
  announced(): Promise<unknown> {
    return Promise.race([this.#announced, new Promise((resolve) => setTimeout(resolve, ANNOUNCED_MS))]);
  }

  /** Whether an announcement that comes at this time may be meant. */
  get isYoung(): boolean {
    return Date.now() - this.#began < YOUNG_MS;
  }

  join(expectation: Expectation): void {
    this.expected = expectation;
    expectation.navigation = this;
    this.#announce();
  }

  giveUp(): void {
    this.#giveUp();
  }
}

export class Owners {
  /** The shell that each page is in, by client id; insertion order is age. */
  readonly #shells = new Map<string, string>();
  readonly #expected = new Map<string, Expectation>();
  readonly #unannounced = new Set<Navigation>();
  readonly #questions = new Map<number, (shell: string) => void>();
  /** Pages that are being asked. */
  readonly #asked = new Map<string, Promise<string | undefined>>();
  #token = 1;

  /** A shell's frame is about to ask for `url`; what it asked for before is no longer wanted. */
  expect(shell: string, url: string, by: "app" | "shell"): void {
    this.unexpect(shell);
    const expectation: Expectation = { shell, url, next: withoutFragment(url), by, navigation: undefined };
    this.#expected.set(shell, expectation);
    const ahead = [...this.#unannounced].find((one) => one.url === expectation.next && one.isYoung);
    if (!ahead) return;
    this.#unannounced.delete(ahead);
    ahead.join(expectation);
  }

  unexpect(shell: string): void {
    this.#expected.get(shell)?.navigation?.giveUp();
    this.#expected.delete(shell);
  }

  /** A frame that shows `page` asks for `url`. */
  begin(url: string, page: string, giveUp: () => void): Navigation {
    const navigation = new Navigation(url, giveUp);
    const fits = [...this.#expected.values()].filter((one) => one.next === navigation.url && !one.navigation);
    const shell = this.#shells.get(page);
    const expectation = fits.find((one) => one.shell === shell) ?? fits[0];
    if (expectation) navigation.join(expectation);
    else this.#unannounced.add(navigation);
    return navigation;
  }

  /** The navigation has been answered, or has failed. */
  settle(navigation: Navigation, redirect?: string): void {
    this.#unannounced.delete(navigation);
    const { expected } = navigation;
    if (!expected) return;
    expected.navigation = undefined;
    if (redirect !== undefined) expected.next = withoutFragment(redirect);
    else if (this.#expected.get(expected.shell) === expected) this.#expected.delete(expected.shell);
  }

  /** Whether the tab that a page is in is known. */
  knows(page: string): boolean {
    return this.#shells.has(page);
  }

  /** A shell answers a question. */
  answer(token: number, shell: string): void {
    this.#questions.get(token)?.(shell);
  }

  own(page: string, shell: string): void {
    if (page === "") return;
    this.#shells.delete(page);
    this.#shells.set(page, shell);
    const oldest = this.#shells.keys().next();
    if (this.#shells.size > MAX_PAGES && !oldest.done) this.#shells.delete(oldest.value);
  }

  /** The shell that the asker is in, of those that are there; `undefined` where nobody can tell. */
  async find(asker: Asker, shells: readonly Client[]): Promise<string | undefined> {
    const known = asker.shell ?? this.#shells.get(asker.page);
    if (known !== undefined && shells.some(({ id }) => id === known)) return known;
    if (shells.length < 2) return shells[0]?.id;
    // A shell asks for things itself, such as icons.
    if (shells.some(({ id }) => id === asker.page)) return asker.page;
    const pages = asker.page === "" ? await pagesAt(asker.referrer) : [asker.page];
    const found = new Set<string | undefined>();
    for (const page of pages) found.add(this.#shells.get(page) ?? (await this.#ask(page)));
    // Two tabs may show the same page.
    return found.size === 1 ? [...found][0] : undefined;
  }

  /** Tells the shell of a navigation that its frame keeps its document; without one, whoever it concerns. */
  async stays(url: string, expected: Navigation["expected"]): Promise<void> {
    const shells = expected ? [await self.clients.get(expected.shell)] : await topClients();
    const message: FromServiceWorker = { p2claw: PORT_VERSION, type: "stays", url: expected?.url ?? url };
    for (const shell of shells) shell?.postMessage(message);
  }

  #ask(page: string): Promise<string | undefined> {
    let asked = this.#asked.get(page);
    if (!asked) {
      asked = this.#question(page).finally(() => this.#asked.delete(page));
      this.#asked.set(page, asked);
    }
    return asked;
  }

  async #question(page: string): Promise<string | undefined> {
    const client = await self.clients.get(page);
    // Only documents have the shim that answers.
    if (!client || client.type !== "window") return undefined;
    const token = this.#token++;
    const shell = await new Promise<string | undefined>((resolve) => {
      this.#questions.set(token, resolve);
      setTimeout(() => resolve(undefined), ANSWER_MS);
      client.postMessage({ p2claw: PORT_VERSION, type: "whose", token } satisfies ServiceWorkerToPage);
    });
    this.#questions.delete(token);
    if (shell !== undefined) this.own(page, shell);
    return shell;
  }
}

/** Clients that are whole tabs: shells, but for the odd page of our own. */
export async function topClients(): Promise<readonly Client[]> {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return windows.filter(({ frameType }) => frameType !== "nested" && frameType !== "none");
}

async function pagesAt(url: string): Promise<string[]> {
  if (url === "") return [];
  const windows = await self.clients.matchAll({ type: "window" });
  return windows.filter((client) => client.frameType === "nested" && withoutFragment(client.url) === url).map(({ id }) => id);
}

function withoutFragment(url: string): string {
  return url.split("#", 1)[0] ?? "";
}
