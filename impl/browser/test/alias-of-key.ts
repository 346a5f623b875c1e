/**
 * The alias that a key asks for, by the text of NAM-009. A visitor takes it for no proof (NAM-010), so
 * the client itself has no use for it.
 */
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const CONTEXT = "p2claw/v1 alias\0";

/** The column `word` of a registry, each word at its index. */
function words(registry: string): string[] {
  const [header, ...rows] = readFileSync(join(process.cwd(), "../../spec/registries", `${registry}.csv`), "utf8").trimEnd().split("\n");
  if (header !== "index,word") throw new Error(`${registry} has other columns`);
  return rows.map((row, index) => {
    const [number, word] = row.split(",");
    if (number !== String(index) || !word) throw new Error(`${registry} has no word ${index} in its place`);
    return word;
  });
}

const ADJECTIVES = words("alias-adjectives");
const NOUNS = words("alias-nouns");

/** The candidate with the number `counter` of a public key. */
export async function aliasOfKey(publicKey: Uint8Array, counter: number): Promise<string> {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, counter);
  const h = new DataView(await webcrypto.subtle.digest("SHA-256", Buffer.concat([Buffer.from(CONTEXT), publicKey, number])));
  const adjective = ADJECTIVES[h.getUint16(0) % 512];
  const noun = NOUNS[h.getUint16(2) % 512];
  return `${adjective}-${noun}-${String(h.getUint32(4) % 10_000).padStart(4, "0")}`;
}
