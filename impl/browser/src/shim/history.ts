/**
 * History of the app's frame. The shell owns the entries of documents:
 * the frame's own would not survive a reload of the tab. Entries within one document (pushState,
 * fragments) stay the frame's own, with their state; the shell only shows their address.
 */
import { RESERVED_PATH } from "../port/paths.ts";
import type { ShellApi } from "../shell/api.ts";

export function installHistory(shell: ShellApi): void {
  shell.attach(document);
  shell.sync(location.href);
  if (window.navigation && "NavigateEvent" in window) hookNavigation(shell, window.navigation);
  else watchAddress(shell);
}

function hookNavigation(shell: ShellApi, navigation: Navigation): void {
  const intercepted = new WeakSet<NavigateEvent>();
  const { intercept } = NavigateEvent.prototype;
  NavigateEvent.prototype.intercept = function (this: NavigateEvent, options?: NavigationInterceptOptions): void {
    intercept.call(this, options);
    intercepted.add(this);
  };

  /** Number of the navigation that is being begun here. */
  let beginning: number | undefined;
  /** Tells the shell when it is given up: by a dialog, by Stop, by another one that takes its place. */
  const follow = (event: NavigateEvent, number: number): void => {
    // Later: another one that takes its place speaks first.
    event.signal.addEventListener("abort", () => setTimeout(() => shell.stays(number), 0));
  };

  const onNavigate = (event: NavigateEvent): void => {
    if (beginning !== undefined) return follow(event, beginning);
    if (event.defaultPrevented || intercepted.has(event)) return;
    if (event.destination.sameDocument || event.hashChange || event.downloadRequest !== null) return;
    const url = new URL(event.destination.url);
    if (url.protocol !== "https:" && url.protocol !== "http:") return;
    const changeable = event.cancelable && event.formData === null;
    if (url.origin !== location.origin) {
      if (!changeable) return;
      // Other sites need not allow to be framed, and the address must not lie.
      event.preventDefault();
      shell.leave(url.href, event.navigationType === "replace");
    } else if (url.pathname.startsWith(RESERVED_PATH)) {
      return;
    } else if (changeable && event.navigationType === "push") {
      event.preventDefault();
      beginning = shell.push(url.href);
      try {
        // Called from here, so that the referrer is this document.
        location.replace(url.href);
      } finally {
        beginning = undefined;
      }
    } else if (event.navigationType !== "traverse") {
      follow(event, shell.expect(url.href));
    }
  };

  // The app's own listeners come first: what they take over is none of ours.
  const { addEventListener } = navigation;
  const goLast = (): void => {
    navigation.removeEventListener("navigate", onNavigate as EventListener);
    addEventListener.call(navigation, "navigate", onNavigate as EventListener);
  };
  navigation.addEventListener = (...parameters: Parameters<typeof addEventListener>): void => {
    addEventListener.apply(navigation, parameters);
    if (parameters[0] === "navigate") goLast();
  };
  const handler = Object.getOwnPropertyDescriptor(Navigation.prototype, "onnavigate");
  if (handler) {
    Object.defineProperty(navigation, "onnavigate", {
      ...handler,
      set(value: unknown) {
        handler.set?.call(navigation, value);
        goLast();
      },
    });
  }
  goLast();
  addEventListener.call(navigation, "currententrychange", () => shell.sync(location.href));
}

/** Without the Navigation API links within the frame are the frame's own entries. */
function watchAddress(shell: ShellApi): void {
  const sync = (): void => shell.sync(location.href);
  for (const name of ["pushState", "replaceState"] as const) {
    const native = history[name];
    history[name] = function (this: History, ...parameters: Parameters<typeof native>): void {
      native.apply(this, parameters);
      sync();
    };
  }
  window.addEventListener("popstate", sync);
  window.addEventListener("hashchange", sync);
}
