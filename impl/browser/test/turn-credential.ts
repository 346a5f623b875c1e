/**
 * Credentials for a relay, made and checked by the text of SIG-022, SIG-029 and SIG-042. The client
 * only hands them on from coord to the relay, and knows no secret to make or check them with.
 */
import { webcrypto } from "node:crypto";

const LIFE_SECONDS = 3_600;

export interface TurnCredential {
  username: string;
  credential: string;
  expires_at: number;
}

async function sign(secret: string, username: string): Promise<string> {
  const key = await webcrypto.subtle.importKey("raw", Buffer.from(secret), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  return Buffer.from(await webcrypto.subtle.sign("HMAC", key, Buffer.from(username))).toString("base64");
}

/** What coord issues at `now`, in Unix seconds; `random` are 16 hex digits. */
export async function issue(secret: string, now: number, random: string): Promise<TurnCredential> {
  const expires_at = now + LIFE_SECONDS;
  const username = `${expires_at}:${random}`;
  return { username, credential: await sign(secret, username), expires_at };
}

/** Whether a relay with this secret lets somebody in at `now`. */
export async function letsIn(secret: string, { username, credential }: Omit<TurnCredential, "expires_at">, now: number): Promise<boolean> {
  const time = /^\d+(?=:|$)/.exec(username)?.[0];
  return time !== undefined && Number(time) >= now && credential === (await sign(secret, username));
}
