/**
 * What the shell offers to the shim in the app's documents. Both are of one origin, so this is a
 * plain object on the shell's window, found through `top`, which a page cannot replace.
 */
export interface ShellApi {
  /** Of this interface. */
  readonly version: 1;
  /** The app's frame is about to load another document: adds the history entry for it. Returns its number. */
  push(url: string): number;
  /** The same for one that needs no entry of the tab's. */
  expect(url: string): number;
  /** The document with this number will not come. */
  stays(navigation: number): void;
  /** The app's frame shows this address now. */
  sync(url: string): void;
  /** Takes the whole tab to another origin; `replace`: in place of its current entry. */
  leave(url: string, replace: boolean): void;
  /** A document of the app's frame has begun. */
  attach(document: Document): void;
  /** A page within this tab has a WebSocket: hands its port to the tunnel worker. Missing in older shells. */
  serve?(port: MessagePort): void;
  /** A page within this tab was asked by the service worker whose it is. */
  mine(token: number): void;
  /** `document.cookie` of a page with this path. */
  cookies(path: string): string;
  setCookie(line: string, path: string): void;
}

/** Id of the app's frame in the shell. */
export const APP_FRAME = "p2claw-app";

declare global {
  interface Window {
    p2claw?: ShellApi;
  }
}
