/**
 * Runs before anything else in every document of the app that came through the tunnel, and makes good
 * what a service worker cannot.
 */
import { APP_FRAME, type ShellApi } from "../shell/api.ts";
import { installCookies } from "./cookies.ts";
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

document.currentScript?.remove();
// An app that registers a service worker here would take the place of ours, and one that cleans up
// old ones would remove it. To the app it looks like a browser without them.
delete (Navigator.prototype as { serviceWorker?: unknown }).serviceWorker;
installWebSocket();
const shell = findShell();
if (shell) {
  installCookies(shell);
  const leave = document.documentElement.dataset["p2clawLeave"];
  if (leave !== undefined) {
    if (isAppFrame()) shell.leave(leave, true);
    else location.replace(leave);
  } else if (isAppFrame()) {
    installHistory(shell);
  }
}
