/**
 * A jar whose changes reach the other copies: directly the one in the same tab (fast, in order), by
 * BroadcastChannel those of other tabs, and IndexedDB for later visits.
 */
import { deleteRow, readRows, writeRow } from "../port/database.ts";
import type { CookieRecord, CookieScope } from "../port/messages.ts";
import { Jar, isAlive } from "./jar.ts";

const CHANNEL = "p2claw-cookies";

/** Unix milliseconds with a fraction, so that changes within one millisecond keep their order. */
const now = (): number => performance.timeOrigin + performance.now();

export class SharedJar {
  readonly #jar: Jar;
  readonly #tell: (records: CookieRecord[]) => void;
  readonly #others: BroadcastChannel;
  /** Settles once the stored cookies are there. */
  readonly loaded: Promise<void>;

  /** `tell` hands changes to the other copy in this tab. */
  constructor(host: string, tell: (records: CookieRecord[]) => void) {
    this.#jar = new Jar(host);
    this.#tell = tell;
    this.#others = new BroadcastChannel(CHANNEL);
    this.#others.onmessage = (event: MessageEvent<CookieRecord[]>) => {
      // The app can write here too; it only harms itself.
      if (Array.isArray(event.data)) this.merge(event.data);
    };
    // Without storage (some private modes) cookies live as long as the tab.
    this.loaded = this.#load().catch(() => undefined);
  }

  get(path: string, scope: CookieScope, forScript: boolean): string {
    return this.#jar.get(path, now(), scope, forScript);
  }

  set(line: string, path: string, fromScript: boolean): void {
    const records = this.#jar.set(line, path, now(), fromScript);
    if (records.length === 0) return;
    this.#tell(records);
    this.#others.postMessage(records);
    for (const record of records) void writeRow("cookies", record).catch(() => undefined);
  }

  merge(records: readonly CookieRecord[]): void {
    this.#jar.merge(records, now());
  }

  async #load(): Promise<void> {
    const records = await readRows("cookies");
    const at = now();
    this.#jar.merge(records, at);
    for (const record of records) {
      if (!isAlive(record, at)) void deleteRow("cookies", [record.path, record.name]).catch(() => undefined);
    }
  }
}
