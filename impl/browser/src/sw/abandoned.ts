/**
 * Requests that their page aborts before the response begins. Chromium does not tell a service worker;
 * so the shim gives a request that can be aborted a token in the fragment of its address, which nobody
 * else sees, and names it when that happens.
 */
import { TOKEN_PREFIX } from "../port/messages.ts";

/** Tokens kept that came ahead of their request. */
const MAX_EARLY = 64;

export class Abandoned {
  readonly #open = new Map<string, () => void>();
  #early: string[] = [];

  /** The page has aborted the request with this token. */
  abandon(token: string): void {
    const abort = this.#open.get(token);
    if (abort) abort();
    else this.#early = [...this.#early.slice(1 - MAX_EARLY), token];
  }

  /** Calls `abort` when the request is abandoned; returns what ends that. */
  watch(url: string, abort: () => void): () => void {
    const { hash } = new URL(url);
    if (!hash.startsWith(TOKEN_PREFIX)) return () => undefined;
    const token = hash.slice(TOKEN_PREFIX.length);
    if (this.#early.includes(token)) abort();
    this.#open.set(token, abort);
    return () => this.#open.delete(token);
  }
}
