/** `document.cookie` on the client's own jar: the browser's would send the cookies to the edge. */
import type { ShellApi } from "../shell/api.ts";

export function installCookies(shell: ShellApi, window: Window & typeof globalThis): void {
  // A document without an address of its own shares that of the page that made it.
  const path = (): string => {
    const { document, location } = window;
    return location.protocol === "about:" ? new URL(document.baseURI).pathname : location.pathname;
  };
  Object.defineProperty(window.Document.prototype, "cookie", {
    configurable: true,
    enumerable: true,
    get: () => shell.cookies(path()),
    set: (line: unknown) => shell.setCookie(String(line), path()),
  });
  // The asynchronous interface has no way to our jar; scripts fall back to the other one.
  delete (window as { cookieStore?: unknown }).cookieStore;
}
