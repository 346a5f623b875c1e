/** The key that this address had before, and the one that the link names. */
import { decodePeerId } from "../identity/peer-id.ts";
import { readRow, writeRow } from "../port/database.ts";

/**
 * The pin in a fragment `#p=<peer id>`; `"malformed"` where the id is damaged, which counts as a key
 * that differs (IDN-019).
 */
export function pinFromFragment(hash: string): string | "malformed" | undefined {
  if (!hash.startsWith("#p=")) return undefined;
  const peerId = hash.slice(3);
  return decodePeerId(peerId) ? peerId : "malformed";
}

/** The stored pin of this origin; none where the browser stores nothing. */
export async function storedPin(origin: string): Promise<string | undefined> {
  try {
    return (await readRow("pins", origin))?.peerId;
  } catch {
    return undefined;
  }
}

/** Stores the first verified key of an origin (IDN-020). */
export async function storePin(origin: string, peerId: string): Promise<void> {
  try {
    if ((await readRow("pins", origin)) === undefined) await writeRow("pins", { origin, peerId, since: Date.now() });
  } catch {
    // Without storage each visit is a first one.
  }
}
