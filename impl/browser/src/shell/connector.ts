/**
 * Keeps the tab connected.
 *
 *   connecting --HELLO--> open --lost--> connecting
 *   connecting --failed--> offline | failed --back-off--> connecting
 *   connecting --check failed--> refused        (for good)
 *
 * A session that drains stays until its exchanges are done, while the next one is made.
 */
import { type FromWorker, PASSING, type ToWorker } from "../port/messages.ts";
import type { AppFrame, Broken } from "./app-frame.ts";
import { Backoff } from "./backoff.ts";
import { Connection } from "./connection.ts";
import type { HostLabel } from "../identity/host-label.ts";
import { Pins, withoutPin } from "./pins.ts";
import type { Screen } from "./screen.ts";
import { VisitError } from "./visit-error.ts";

/** The agent is known, but not there. */
const OFFLINE: ReadonlySet<string> = new Set(["AGENT_OFFLINE", "AGENT_TIMEOUT", "SHUTTING_DOWN"]);
/** Hardly going to change within seconds. */
const SLOW: ReadonlySet<string> = new Set(["NO_SUCH_ALIAS", "NO_SUCH_APP", "LIMIT", "VERSION", "BAD_OFFER", "MALFORMED", "REVOKED"]);
/** Cannot change without the visitor. */
const FINAL: ReadonlySet<string> = new Set(["NO_ED25519"]);
/** A session that lives this long has been a good one: the back-off starts over. */
const HEALTHY_MS = 3_000;

export class Connector {
  readonly #address: HostLabel;
  readonly #screen: Screen;
  readonly #frame: AppFrame;
  readonly #tell: (message: ToWorker, transfer?: Transferable[]) => void;
  readonly #backoff = new Backoff();
  /** Of documents that did not come although there is a session. */
  readonly #reloads = new Backoff();
  readonly #pins = new Pins(location.origin, location.hash);
  readonly #connections = new Map<number, Connection>();
  #visit = 0;
  #verified = false;
  #prepared = false;
  #stopped = false;
  #openedAt = 0;
  /** Whether a document of the app's is in the frame. */
  #appThere = false;

  constructor(address: HostLabel, screen: Screen, frame: AppFrame, tell: (message: ToWorker, transfer?: Transferable[]) => void) {
    this.#address = address;
    this.#screen = screen;
    this.#frame = frame;
    this.#tell = tell;
    window.addEventListener("online", () => this.#backoff.hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#backoff.hurry();
    });
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    this.#stop();
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  /** Service worker and cookies are ready for the app's first request. */
  onPrepared(): void {
    this.#prepared = true;
    this.#openApp();
  }

  /** A document has begun in the app's frame. */
  onDocument(broken: Broken): void {
    this.#appThere = broken === undefined;
    this.#reloads.cancel();
    if (broken === undefined) {
      this.#reloads.reset();
      this.#screen.showApp();
    } else if (PASSING.has(broken) && this.#isOpen()) {
      // The session has come back in the meantime.
      this.#reloads.next(() => this.#reloadBroken(), false);
    }
  }

  onWorker(message: Extract<FromWorker, { visit: number }>): void {
    const connection = this.#connections.get(message.visit);
    if (!connection) return;
    if (message.type === "open") {
      connection.opened();
      if (message.visit === this.#visit) this.#onOpen();
    } else if (message.type === "draining") {
      if (message.visit === this.#visit) this.#connect();
    } else {
      this.#drop(message.visit);
      if (message.visit === this.#visit) this.#onLost(new VisitError(message.code === "VERSION" ? "VERSION" : "LOST", message.reason));
    }
  }

  #connect(): void {
    if (this.#stopped) return;
    const visit = ++this.#visit;
    this.#verified = false;
    // A state that an earlier attempt led to holds until this one succeeds; a draining session serves.
    if (this.#openedAt === 0 && !this.#screen.hasPage) {
      this.#screen.status(this.#appThere ? "Connecting again…" : `Connecting to ${location.hostname.split(".")[0]}…`);
    }
    const connection = new Connection(this.#address, this.#pins, {
      onChannels: (channels) => this.#tell({ type: "connect", visit, channels }, channels),
      onVerified: () => {
        if (visit !== this.#visit) return;
        this.#verified = true;
        this.#openApp();
      },
      onPath: (path) => {
        this.#tell({ type: "path", visit, lost: path === "lost" });
        if (visit === this.#visit) this.#screen.setPath(path);
      },
      onRestart: () => {
        if (visit === this.#visit) this.#screen.status("The connection is interrupted. Looking for another way…", true);
      },
      onFailed: (error) => {
        this.#drop(visit);
        this.#tell({ type: "disconnect", visit, reason: error.message });
        if (visit === this.#visit) this.#onLost(error);
      },
    });
    this.#connections.set(visit, connection);
  }

  #drop(visit: number): void {
    this.#connections.get(visit)?.close();
    this.#connections.delete(visit);
  }

  #isOpen(): boolean {
    return this.#openedAt !== 0 && this.#connections.has(this.#visit);
  }

  #onOpen(): void {
    this.#openedAt = Date.now();
    this.#screen.setState("open");
    this.#screen.clearStatus();
    this.#screen.clearPage();
    this.#reloadBroken();
  }

  /** The first request leaves as soon as the agent is verified; it waits for the lane, not for us. */
  #openApp(): void {
    if (!this.#verified || !this.#prepared || this.#frame.opened) return;
    // The pin has been checked; the app's address goes without it.
    history.replaceState(history.state, "", withoutPin(location.href));
    this.#frame.open(location.href);
  }

  #reloadBroken(): void {
    if (this.#isOpen() && this.#frame.opened && this.#frame.broken !== undefined) this.#frame.open(location.href);
  }

  /** No more sessions are made. */
  #stop(): void {
    this.#stopped = true;
    this.#backoff.cancel();
    this.#reloads.cancel();
    this.#tell({ type: "stop" });
  }

  #onLost(error: VisitError): void {
    if (this.#stopped) return;
    const wasOpen = this.#openedAt !== 0;
    if (wasOpen && Date.now() - this.#openedAt > HEALTHY_MS) this.#backoff.reset();
    this.#openedAt = 0;
    this.#screen.setPath(undefined);
    if (error.refused || FINAL.has(error.code)) {
      this.#screen.setState(error.refused ? "refused" : "failed", error.code);
      this.#screen.showPage(error.code, error.facts);
      this.#stop();
      return;
    }
    if (wasOpen && error.code !== "VERSION") {
      // The agent was there a moment ago: the first attempt is made at once.
      this.#screen.setState("connecting");
      this.#backoff.first(() => this.#connect());
      return;
    }
    this.#screen.setState(OFFLINE.has(error.code) ? "offline" : "failed", error.code);
    if (this.#appThere) this.#screen.status("The connection is lost. Trying again…", true);
    else this.#screen.showPage(error.code, [], () => this.#backoff.hurry());
    this.#backoff.next(() => this.#connect(), SLOW.has(error.code));
  }
}
