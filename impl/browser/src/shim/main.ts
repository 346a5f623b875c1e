/**
 * Runs before anything else in every document of the app that came through the tunnel, and makes good
 * what a service worker cannot.
 */
import { PORT_VERSION, type PageToServiceWorker, type ServiceWorkerToPage } from "../port/messages.ts";
import { APP_FRAME, type ShellApi } from "../shell/api.ts";
import { installAborts } from "./aborts.ts";
import { installCookies } from "./cookies.ts";
import { installFrames } from "./frames.ts";
import { installHistory } from "./history.ts";
import { installWebSocket } from "./websocket.ts";

/** The shell, unless this document is isolated from it (Document-Isolation-Policy). */
function findShell(): ShellApi | undefined {
  try {
    return window.top?.p2claw;
  } catch {
    return undefined;
  }
}

/** Whether this is the app's own frame, and not one inside of it. */
function isAppFrame(): boolean {
  try {
    return window.frameElement?.id === APP_FRAME && window.parent === window.top;
  } catch {
    return false;
  }
}

/** Looked up before it is taken away; none where the page is sandboxed. */
function findContainer(): ServiceWorkerContainer | undefined {
  try {
    return (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker;
  } catch {
    return undefined;
  }
}

/** The service worker may ask whose page this is. */
function answerFor(shell: ShellApi, container: ServiceWorkerContainer): void {
  container.addEventListener("message", (event: MessageEvent<ServiceWorkerToPage | null>) => {
    if (event.data?.type === "whose") shell.mine(event.data.token);
  });
  container.startMessages();
}

/** Hands a port to the tunnel worker, by the service worker where the shell is out of reach. */
function serve(port: MessagePort): boolean {
  if (shell) {
    shell.serve?.(port);
    return shell.serve !== undefined;
  }
  const message: PageToServiceWorker = { p2claw: PORT_VERSION, type: "socket" };
  container?.controller?.postMessage(message, [port]);
  return Boolean(container?.controller);
}

const source = document.currentScript?.textContent ?? "";
document.currentScript?.remove();
const container = findContainer();
// An app that registers a service worker here would take the place of ours, and one that cleans up
// old ones would remove it. To the app it looks like a browser without them.
delete (Navigator.prototype as { serviceWorker?: unknown }).serviceWorker;
const shell = findShell();
installWebSocket(window, serve);
if (container) installAborts(container);
if (shell) {
  if (container) answerFor(shell, container);
  installCookies(shell, window);
  installFrames(source, (inner) => {
    installCookies(shell, inner);
    installWebSocket(inner, serve);
  });
  const leave = document.documentElement.dataset["p2clawLeave"];
  if (leave !== undefined) {
    if (isAppFrame()) shell.leave(leave, true);
    else location.replace(leave);
  } else if (isAppFrame()) {
    installHistory(shell);
  }
}
