/** What an agent says about itself: statements, signed with a key of their own. */
import { generateKeyPairSync, sign } from "node:crypto";
import { PbfWriter } from "pbf";
import { encodePeerId } from "../src/identity/peer-id.ts";

export interface Statement {
  version: number;
  alias: string;
  app: string;
  nonce: Uint8Array;
  visitor: Uint8Array;
  agent: Uint8Array;
  expires: number;
}

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const rawKey = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }).subarray(-32));
export const peerId = encodePeerId(rawKey);

export function encodeStatement(statement: Statement, key: Uint8Array = rawKey): Uint8Array<ArrayBuffer> {
  const writer = new PbfWriter();
  writer.writeVarintField(1, statement.version);
  writer.writeBytesField(2, new Uint8Array(16));
  writer.writeStringField(3, statement.alias);
  writer.writeBytesField(4, statement.nonce);
  writer.writeBytesField(5, statement.visitor);
  writer.writeBytesField(6, statement.agent);
  writer.writeVarintField(7, statement.expires);
  writer.writeBytesField(8, key);
  writer.writeStringField(9, statement.app);
  writer.writeVarintField(99, 5);
  return writer.finish().slice();
}

export function signed(bytes: Uint8Array, context = "p2claw/v1 visit"): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(sign(null, Buffer.concat([Buffer.from(context), Buffer.of(0), bytes]), privateKey));
}

/** 32 equal bytes, as a fingerprint and as a line of a description. */
export const fingerprint = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
export const line = (byte: number, hash = "sha-256"): string => `a=fingerprint:${hash} ${Array.from({ length: 32 }, () => byte.toString(16).padStart(2, "0").toUpperCase()).join(":")}\r\n`;
export const sdp = (...lines: string[]): string => `v=0\r\n${lines.join("")}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`;
