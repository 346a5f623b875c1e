/** The frame that the app runs in: history, address, title and icon of the tab follow it. */
import { RESERVED_PATH } from "../port/paths.ts";
import { withoutPin } from "./pins.ts";

/** Icons larger than this are left out. */
const MAX_ICON_BYTES = 262_144;
/** Chromium takes the frame along when the tab goes back; it has begun by this time or never does. */
const TRAVERSAL_MS = 60;

/** Times that a document is asked for again. A request may give way to another and be shown all the same, and the other to a third one. */
const REPEATS_MAX = 3;

/** Why a document is not the app's: the code of a failure, or UNKNOWN. */
export type Broken = string | undefined;

export interface AppFrameEvents {
  /** A document of the app is there, or one could not be loaded. */
  onDocument(broken: Broken): void;
  /** The frame is about to ask for `url`; `undefined`: for nothing any more. */
  onExpect(url: string | undefined, by: "app" | "shell"): void;
}

export class AppFrame {
  readonly #frame: HTMLIFrameElement;
  readonly #events: AppFrameEvents;
  #attached: Document | undefined;
  #titleObserver: MutationObserver | undefined;
  #icon = "";
  #broken: Broken;
  #opened = false;
  #navigations = 0;
  /** The document that has not begun yet; `entry`: the tab has an entry for it already. */
  #awaiting: { navigation: number; url: string; entry: boolean } | undefined;
  /** Times that a document was asked for again, for it was given up and shown all the same. */
  #repeats = 0;
  /** The tab is on its way back from an entry whose document did not come. */
  #returning = false;

  constructor(frame: HTMLIFrameElement, events: AppFrameEvents) {
    this.#frame = frame;
    this.#events = events;
    frame.addEventListener("load", () => this.#onLoad());
    window.addEventListener("popstate", () => this.#onTraversal());
    window.navigation?.addEventListener("navigate", (event) => this.#onTopNavigation(event));
  }

  /** Whether the app has been asked for. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Why the frame shows no document of the app's. */
  get broken(): Broken {
    return this.#broken;
  }

  /** Loads an address of the app, in place of what the frame shows. */
  open(url: string): void {
    this.#opened = true;
    this.#broken = undefined;
    this.#await(url, false, "shell");
    this.#frame.contentWindow?.location.replace(url);
  }

  /** The frame is about to load another document: the tab gets an entry for it. */
  push(url: string): number {
    if (new URL(url).origin !== location.origin) return 0;
    // The entry of a document that never came is used again.
    if (this.#awaiting?.entry) history.replaceState(null, "", withoutPin(url));
    else history.pushState(null, "", withoutPin(url));
    return this.#await(url, true, "app");
  }

  /** The frame is about to load another document, for which the tab needs no entry. */
  expect(url: string): number {
    const inner = this.#document();
    // It takes the place of one that has its entry: that shows what the frame does.
    if (this.#awaiting?.entry && inner) history.replaceState(history.state, "", withoutPin(inner.location.href));
    return this.#await(url, false, "app");
  }

  /** The awaited document, given by its number or its address, does not come: the frame keeps what it shows. */
  stays(which: number | string): void {
    const awaited = this.#awaiting;
    if (!awaited || (which !== awaited.navigation && which !== awaited.url)) return;
    this.#awaiting = undefined;
    this.#events.onExpect(undefined, "app");
    if (!awaited.entry) return;
    this.#returning = true;
    history.back();
  }

  #await(url: string, entry: boolean, by: "app" | "shell"): number {
    this.#awaiting = { navigation: ++this.#navigations, url, entry };
    this.#events.onExpect(url, by);
    return this.#navigations;
  }

  /** The frame shows this address. */
  sync(url: string): void {
    // The bar is ahead of the frame.
    if (this.#awaiting?.entry) return;
    const target = new URL(withoutPin(url));
    if (target.origin !== location.origin || target.pathname.startsWith(RESERVED_PATH) || target.href === location.href) return;
    history.replaceState(history.state, "", target.href);
  }

  /** A document of the app has begun in the frame. */
  attach(inner: Document): void {
    if (this.#attached === inner) return;
    this.#attached = inner;
    this.#awaiting = undefined;
    this.#broken = inner.documentElement?.dataset["p2clawBroken"];
    // Of two requests for one document the browser may show the one that gave way to the other: the
    // shell asks for what the browser has not begun to restore in time.
    const again = this.#broken === "CANCELLED" && this.#repeats < REPEATS_MAX;
    this.#repeats = again ? this.#repeats + 1 : 0;
    if (again) return this.open(inner.location.href);
    this.#events.onDocument(this.#broken);
    this.#titleObserver?.disconnect();
    if (this.#broken !== undefined) return;
    const show = (): void => this.#showTitle(inner);
    this.#titleObserver = new MutationObserver(show);
    // The head may not be there yet; titles change deep inside of it.
    this.#titleObserver.observe(inner, { childList: true, subtree: true, characterData: true });
    inner.addEventListener("DOMContentLoaded", () => {
      show();
      this.#titleObserver?.disconnect();
      if (inner.head) this.#titleObserver?.observe(inner.head, { childList: true, subtree: true, characterData: true, attributes: true });
      void this.#showIcon(inner);
    });
  }

  #onLoad(): void {
    const inner = this.#document();
    if (!inner) {
      this.#awaiting = undefined;
      if (!this.#opened) return;
      // An error page of the browser's, or another site: nothing can be read there.
      this.#broken = "UNKNOWN";
      this.#events.onDocument(this.#broken);
      return;
    }
    if (inner.location.pathname.startsWith(RESERVED_PATH) || inner.location.protocol === "about:") return;
    // A document that the shim is not in: an image, a text.
    if (this.#attached !== inner) this.attach(inner);
    this.sync(inner.location.href);
    this.#showTitle(inner);
    void this.#showIcon(inner);
    if (document.activeElement === document.body || document.activeElement === null) this.#frame.focus();
  }

  /** Back and forward between the shell's own entries. */
  #onTraversal(): void {
    const [returning, awaited] = [this.#returning, this.#awaiting];
    this.#returning = false;
    this.#awaiting = undefined;
    if (location.hash.startsWith("#p=")) {
      // Somebody pasted a link that names a key: it has to be checked.
      location.reload();
      return;
    }
    const inner = this.#document();
    if (returning && inner) return this.sync(inner.location.href);
    if (awaited) {
      // The person has turned away from it.
      this.#frame.contentWindow?.stop();
      this.#events.onExpect(undefined, "app");
    }
    if (!this.#opened || (inner && withoutPin(inner.location.href) === location.href)) return;
    // The browser's own traversal restores scroll and forms, and a second request would undo that.
    const timer = setTimeout(() => {
      if (this.#document() === inner && (!inner || withoutPin(inner.location.href) !== location.href)) this.open(location.href);
    }, inner ? TRAVERSAL_MS : 0);
    inner?.defaultView?.addEventListener("beforeunload", () => clearTimeout(timer), { once: true });
  }

  /** A link with target=_top, or a script, wants another page of the app in the whole tab. */
  #onTopNavigation(event: NavigateEvent): void {
    const { destination, navigationType } = event;
    if (!event.canIntercept || destination.sameDocument || event.hashChange || event.downloadRequest !== null || event.formData) return;
    if (navigationType !== "push" && navigationType !== "replace") return;
    const url = new URL(destination.url);
    if (!this.#opened || url.pathname.startsWith(RESERVED_PATH)) return;
    if (withoutPin(url.href) === url.href) {
      event.intercept({ handler: () => Promise.resolve(this.open(url.href)) });
      return;
    }
    event.preventDefault();
    history[navigationType === "push" ? "pushState" : "replaceState"](null, "", withoutPin(url.href));
    this.open(url.href);
  }

  #document(): Document | undefined {
    try {
      return this.#frame.contentDocument ?? undefined;
    } catch {
      return undefined;
    }
  }

  #showTitle(inner: Document): void {
    const title = inner.title || location.host;
    if (document.title !== title) document.title = title;
  }

  /** The browser would fetch an icon from the edge; so it gets the bytes. */
  async #showIcon(inner: Document): Promise<void> {
    const links = inner.querySelectorAll<HTMLLinkElement>("link[rel~='icon']");
    const href = links[links.length - 1]?.href || new URL("/favicon.ico", location.origin).href;
    if (href === this.#icon) return;
    this.#icon = href;
    const own = new URL(href).origin === location.origin;
    const shown = own ? await fetchIcon(href) : href;
    if (this.#icon !== href) return;
    const link = document.querySelector<HTMLLinkElement>("link[rel='icon']");
    if (link) link.href = shown ?? "data:,";
  }
}

async function fetchIcon(href: string): Promise<string | undefined> {
  // Without the service worker the edge would answer.
  if (!navigator.serviceWorker.controller) return undefined;
  try {
    const response = await fetch(href);
    const blob = await response.blob();
    if (!response.ok || blob.size === 0 || blob.size > MAX_ICON_BYTES || !blob.type.startsWith("image/")) return undefined;
    return await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(typeof reader.result === "string" ? reader.result : undefined);
      reader.onerror = () => resolve(undefined);
      reader.readAsDataURL(blob);
    });
  } catch {
    return undefined;
  }
}
