// The browser under test, and what has to be done in a different way in each.
//
// Playwright drives Chromium over CDP, and a stock Firefox over WebDriver BiDi (its channel
// "moz-firefox"). Its version is pinned to the last one that asks Firefox ESR for nothing that it
// does not have yet (emulation.setMediaFeaturesOverride).
import { chromium, firefox } from "playwright-core";
import { browserPath } from "./place.mjs";

const CHROMIUM_FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const FIREFOX_PREFERENCES = {
  // The relays of the tests listen there. It makes no pairs with an agent there.
  "media.peerconnection.ice.loopback": true,
  // As the tests are written for it: 1 is light.
  "layout.css.prefers-color-scheme.content-override": 1,
  // As in Chromium, which does not ask a headless visitor either.
  "browser.download.always_ask_before_handling_new_types": false,
};

/** For visitors whose service workers are stopped by a test; see `stopServiceWorkers`. */
const FORGETFUL_PREFERENCES = {
  "dom.serviceWorkers.idle_timeout": 4_000,
  "dom.serviceWorkers.idle_extended_timeout": 500,
};

/** The name of the browser under test. */
export const engine = process.env.P2CLAW_BROWSER || "chromium";

/** `forgetful`: for tests that call `stopServiceWorkers`; `flags`: more of Chromium's. */
export function launch({ forgetful = false, flags = [] } = {}) {
  const executablePath = browserPath(engine);
  if (engine === "chromium") return chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS, ...flags] });
  const firefoxUserPrefs = { ...FIREFOX_PREFERENCES, ...(forgetful && FORGETFUL_PREFERENCES) };
  return firefox.launch({ channel: "moz-firefox", executablePath, firefoxUserPrefs });
}

/** What the button Stop does while `page` loads. */
export async function stopLoading(page) {
  if (engine === "firefox") return page.evaluate(() => window.stop());
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Page.stopLoading");
}

/**
 * Stops the service workers of a forgetful browser. In Firefox nobody can: there it does so itself with
 * those that have had nothing to do for a while, and shows that it has by cutting `stream`, an answer
 * of the app's without end.
 */
export async function stopServiceWorkers(app, stream) {
  if (engine === "firefox") {
    return app.evaluate(async (path) => {
      const reader = (await fetch(path)).body.getReader();
      while (!(await reader.read()).done);
    }, stream);
  }
  const page = app.page();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("ServiceWorker.enable");
  await devtools.send("ServiceWorker.stopAllWorkers");
  await devtools.detach();
}

/** Whether an error of this name says that a body from a service worker broke off; Firefox uses either name. */
export function isCutOff(name) {
  return name === "TypeError" || (engine === "firefox" && name === "AbortError");
}
