/** `document.cookie` on the client's own jar: the browser's would send the cookies to the edge. */
import type { ShellApi } from "../shell/api.ts";

export function installCookies(shell: ShellApi): void {
  Object.defineProperty(Document.prototype, "cookie", {
    configurable: true,
    enumerable: true,
    get: () => shell.cookies(location.pathname),
    set: (line: unknown) => shell.setCookie(String(line), location.pathname),
  });
  // The asynchronous interface has no way to our jar; scripts fall back to the other one.
  delete (window as { cookieStore?: unknown }).cookieStore;
}
