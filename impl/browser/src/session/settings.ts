/** Settings of a HELLO. Registry: spec/registries/settings.csv. */
import type { Setting } from "../codec/session-messages.ts";
import { ErrorCode, SessionError } from "./errors.ts";

export interface Settings {
  /** Bytes of the longest frame, header included. */
  maxFrame: number;
  /** Body bytes that the other end may send on each stream before any CREDIT. */
  initialStreamCredit: number;
  /** The same for all streams together. */
  initialSessionCredit: number;
  /** Streams that the sender of the HELLO bears at one time. */
  maxStreams: number;
  lanes: number;
  /** Bit mask of `Encoding`. */
  encodings: number;
}

/** Content codings that the sender of a HELLO decodes. */
export const Encoding = { GZIP: 1, DEFLATE: 2 } as const;

/** What holds until a HELLO says otherwise. */
export const DEFAULT_SETTINGS: Settings = {
  maxFrame: 16_384,
  initialStreamCredit: 65_536,
  initialSessionCredit: 262_144,
  maxStreams: 100,
  lanes: 1,
  encodings: 0,
};

const MAX = Number.MAX_SAFE_INTEGER;
const REGISTRY: readonly { id: number; key: keyof Settings; least: number; most: number }[] = [
  { id: 0x1, key: "maxFrame", least: DEFAULT_SETTINGS.maxFrame, most: 65_536 },
  { id: 0x2, key: "initialStreamCredit", least: DEFAULT_SETTINGS.initialStreamCredit, most: MAX },
  { id: 0x3, key: "initialSessionCredit", least: DEFAULT_SETTINGS.initialSessionCredit, most: MAX },
  { id: 0x4, key: "maxStreams", least: DEFAULT_SETTINGS.maxStreams, most: MAX },
  { id: 0x5, key: "lanes", least: 1, most: 16 },
  { id: 0x6, key: "encodings", least: 0, most: MAX },
];

/** Reads a HELLO's settings; unknown ids are ignored, values out of range end the session. */
export function readSettings(settings: readonly Setting[]): Settings {
  const result = { ...DEFAULT_SETTINGS };
  for (const { id, value } of settings) {
    const known = REGISTRY.find((entry) => entry.id === id);
    if (!known) continue;
    if (value < known.least || (value > known.most && known.most !== MAX)) {
      throw new SessionError(ErrorCode.PROTOCOL, `setting ${id} is out of range: ${value}`);
    }
    result[known.key] = value;
  }
  return result;
}

/** The settings that differ from the defaults, as a HELLO carries them. */
export function writeSettings(settings: Settings): Setting[] {
  return REGISTRY.filter(({ key }) => settings[key] !== DEFAULT_SETTINGS[key]).map(({ id, key }) => ({ id, value: settings[key] }));
}

/** Settings and frame types of this form stand for nothing, and are sent to see them skipped (SES-091). */
export function greaseId(n: number): number {
  return 0x1f * n + 0x21;
}
