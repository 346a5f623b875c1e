// Temporary directories, free ports, and where things are on this machine.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The e2e folder. */
export const here = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const workspace = resolve(here, "../../..");

const toRemove = [];
process.on("exit", () => {
  for (const folder of toRemove) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/**
 * A new directory, removed at the end unless it is to be kept. Its path is short, for that of a
 * Unix socket has at most 107 bytes.
 */
export function temporary(kind, { keep = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), `p2c-${kind}-`));
  if (!keep) toRemove.push(folder);
  return folder;
}

/** The binary under test. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(workspace, "target");
  const places = process.env.P2CLAW_BIN
    ? [process.env.P2CLAW_BIN]
    : [join(target, "debug/p2claw"), join(target, "release/p2claw")];
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`no p2claw binary at ${places.join(" or ")}; run: cargo build`);
  return found;
}

const BROWSERS = {
  chromium: ["/usr/bin/chromium", "/usr/bin/chromium-browser"],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
};

/** Where a browser is installed; P2CLAW_CHROMIUM and P2CLAW_FIREFOX say so first. */
export function browserPath(name) {
  const places = BROWSERS[name];
  if (!places) throw new Error(`no browser is called ${name}; there are ${Object.keys(BROWSERS).join(" and ")}`);
  const variable = `P2CLAW_${name.toUpperCase()}`;
  const found = [process.env[variable], ...places].find((place) => place && existsSync(place));
  if (!found) throw new Error(`no ${name}; install it or set ${variable}`);
  return found;
}

const handedOut = new Set();

/** A TCP port of 127.0.0.1 on which nothing listens, different at each call. */
export async function freePort() {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    if (!handedOut.has(port)) {
      handedOut.add(port);
      return port;
    }
  }
}
