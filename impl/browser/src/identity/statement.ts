/** The agent's signed statement about one visit, checked before any SDP of the agent's is used. */
import { Limit } from "../codec/registry.ts";
import { type VisitStatement, decodeVisitStatement } from "../codec/signaling-messages.ts";
import { equalBytes } from "./bytes.ts";
import { verifyStrict } from "./ed25519.ts";
import { encodePeerId } from "./peer-id.ts";
import { sdpFingerprint } from "./sdp.ts";

const CONTEXT = "p2claw/v1 visit";
const VERSION = 1;
/** How far ahead a statement may expire: its life and the skew. */
const MAX_AHEAD_MS = Limit.STATEMENT_LIFETIME_MS + Limit.CLOCK_SKEW_MS;

/** Why a visit was stopped. These codes are shown, and read by automation. */
export type Refusal =
  | "STATEMENT"
  | "SIGNATURE"
  | "PINNED_KEY"
  | "VERSION"
  | "ALIAS"
  | "APP"
  | "NONCE"
  | "FINGERPRINT"
  | "EXPIRED";

export interface Visit {
  alias: string;
  app: string;
  nonce: Uint8Array;
  /** Peer ids that the key must have: from the link, and from an earlier visit. */
  pins: readonly string[];
  offerSdp: string;
  /** Unix milliseconds. */
  now: number;
}

export interface Answer {
  sdp: string;
  statement: Uint8Array;
  signature: Uint8Array;
}

export type Verdict = { ok: true; peerId: string } | { ok: false; refusal: Refusal; presented?: string; pinned?: string };

/** Checks an answer in the order that the spec prescribes; the first failure decides. */
export async function checkAnswer(crypto: SubtleCrypto, visit: Visit, answer: Answer): Promise<Verdict> {
  let statement: VisitStatement;
  try {
    statement = decodeVisitStatement(answer.statement);
  } catch {
    return { ok: false, refusal: "STATEMENT" };
  }
  if (!(await verifyStrict(crypto, statement.publicKey, answer.signature, CONTEXT, answer.statement))) {
    return { ok: false, refusal: "SIGNATURE" };
  }
  const presented = encodePeerId(statement.publicKey);
  const pinned = visit.pins.find((pin) => pin !== presented);
  if (pinned !== undefined) return { ok: false, refusal: "PINNED_KEY", presented, pinned };
  const refuse = (refusal: Refusal): Verdict => ({ ok: false, refusal, presented });
  if (statement.version !== VERSION) return refuse("VERSION");
  if (statement.alias !== visit.alias) return refuse("ALIAS");
  if (statement.app !== visit.app) return refuse("APP");
  if (!equalBytes(statement.nonce, visit.nonce)) return refuse("NONCE");
  const own = sdpFingerprint(visit.offerSdp);
  if (!own || !equalBytes(statement.visitorFingerprint, own)) return refuse("FINGERPRINT");
  const agent = sdpFingerprint(answer.sdp);
  if (!agent || !equalBytes(statement.agentFingerprint, agent)) return refuse("FINGERPRINT");
  const { expiresAtMs } = statement;
  if (expiresAtMs <= visit.now - Limit.CLOCK_SKEW_MS || expiresAtMs > visit.now + MAX_AHEAD_MS) return refuse("EXPIRED");
  return { ok: true, peerId: presented };
}
