/** The client's own storage for this address: IndexedDB database "p2claw". */
import type { CookieRecord } from "./messages.ts";

export interface Pin {
  origin: string;
  /** Peer id seen on the first visit. */
  peerId: string;
  /** Unix milliseconds. */
  since: number;
}

interface Rows {
  pins: Pin;
  cookies: CookieRecord;
}

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("p2claw", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("pins", { keyPath: "origin" });
      request.result.createObjectStore("cookies", { keyPath: ["path", "name"] });
    };
    request.onsuccess = () => {
      // The app may delete the database of its own origin; that must not hang on this connection.
      request.result.onversionchange = () => {
        request.result.close();
        opened = undefined;
      };
      resolve(request.result);
    };
    request.onerror = () => {
      opened = undefined;
      reject(request.error ?? new Error("no database"));
    };
  });
  return opened;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the database failed"));
  });
}

export async function readRow<S extends keyof Rows>(store: S, key: IDBValidKey): Promise<Rows[S] | undefined> {
  const database = await open();
  return settled<Rows[S] | undefined>(database.transaction(store).objectStore(store).get(key));
}

export async function readRows<S extends keyof Rows>(store: S): Promise<Rows[S][]> {
  const database = await open();
  return settled<Rows[S][]>(database.transaction(store).objectStore(store).getAll());
}

export async function writeRow<S extends keyof Rows>(store: S, row: Rows[S]): Promise<void> {
  const database = await open();
  await settled(database.transaction(store, "readwrite").objectStore(store).put(row));
}

/** Stores a row unless there is one with its key; returns the one that stands. */
export async function addRow<S extends keyof Rows>(store: S, key: IDBValidKey, row: Rows[S]): Promise<Rows[S]> {
  const database = await open();
  const rows = database.transaction(store, "readwrite").objectStore(store);
  const standing = await settled<Rows[S] | undefined>(rows.get(key));
  if (standing) return standing;
  await settled(rows.put(row));
  return row;
}

export async function deleteRow<S extends keyof Rows>(store: S, key: IDBValidKey): Promise<void> {
  const database = await open();
  await settled(database.transaction(store, "readwrite").objectStore(store).delete(key));
}
