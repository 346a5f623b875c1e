/** The frame that the app runs in: history, address, title and icon of the tab follow it. */
import { RESERVED_PATH } from "./api.ts";

/** Icons larger than this are left out. */
const MAX_ICON_BYTES = 262_144;
/** Chromium takes the frame along when the tab goes back; it has begun by this time or never does. */
const TRAVERSAL_MS = 60;

export class AppFrame {
  readonly #frame: HTMLIFrameElement;
  /** Told that a document of the app is there, or that one could not be loaded. */
  readonly #onDocument: (broken: boolean) => void;
  #attached: Document | undefined;
  #titleObserver: MutationObserver | undefined;
  #icon = "";
  #broken = false;
  #opened = false;
  /** An entry was added for a document that has not begun yet. */
  #awaiting = false;

  constructor(frame: HTMLIFrameElement, onDocument: (broken: boolean) => void) {
    this.#frame = frame;
    this.#onDocument = onDocument;
    frame.addEventListener("load", () => this.#onLoad());
    window.addEventListener("popstate", () => this.#onTraversal());
    window.navigation?.addEventListener("navigate", (event) => this.#onTopNavigation(event));
  }

  /** Whether the app has been asked for. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Whether the frame shows no document of the app's. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Loads an address of the app, in place of what the frame shows. */
  open(url: string): void {
    this.#opened = true;
    this.#broken = false;
    this.#frame.contentWindow?.location.replace(url);
  }

  /** The frame is about to load another document: the tab gets an entry for it. */
  push(url: string): void {
    if (new URL(url).origin !== location.origin) return;
    history.pushState(null, "", url);
    this.#awaiting = true;
  }

  /** The document that an entry was added for does not come, and the frame keeps what it shows. */
  stays(): void {
    if (!this.#awaiting) return;
    this.#awaiting = false;
    history.back();
  }

  /** The frame shows this address. */
  sync(url: string): void {
    const target = new URL(url);
    if (target.origin !== location.origin || target.pathname.startsWith(RESERVED_PATH) || target.href === location.href) return;
    history.replaceState(history.state, "", target.href);
  }

  /** A document of the app has begun in the frame. */
  attach(inner: Document): void {
    if (this.#attached === inner) return;
    this.#attached = inner;
    this.#awaiting = false;
    this.#broken = inner.documentElement?.dataset["p2clawBroken"] !== undefined;
    this.#onDocument(this.#broken);
    this.#titleObserver?.disconnect();
    if (this.#broken) return;
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
    this.#awaiting = false;
    const inner = this.#document();
    if (!inner) {
      // An error page of the browser's, or another site: nothing can be read there.
      this.#broken = this.#opened;
      if (this.#opened) this.#onDocument(true);
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
    this.#awaiting = false;
    if (location.hash.startsWith("#p=")) {
      // Somebody pasted a link that names a key: it has to be checked.
      location.reload();
      return;
    }
    const inner = this.#document();
    if (!this.#opened || inner?.location.href === location.href) return;
    // The browser's own traversal restores scroll and forms, and a second request would undo that.
    const timer = setTimeout(() => {
      if (this.#document() === inner && inner?.location.href !== location.href) this.open(location.href);
    }, inner ? TRAVERSAL_MS : 0);
    inner?.defaultView?.addEventListener("beforeunload", () => clearTimeout(timer), { once: true });
  }

  /** A link with target=_top, or a script, wants another page of the app in the whole tab. */
  #onTopNavigation(event: NavigateEvent): void {
    const { destination, navigationType } = event;
    if (!event.canIntercept || destination.sameDocument || event.hashChange || event.downloadRequest !== null || event.formData) return;
    if (navigationType !== "push" && navigationType !== "replace") return;
    const url = new URL(destination.url);
    if (!this.#opened || url.pathname.startsWith(RESERVED_PATH) || url.hash.startsWith("#p=")) return;
    event.intercept({ handler: () => Promise.resolve(this.open(url.href)) });
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
