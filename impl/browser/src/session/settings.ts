/** Settings of a HELLO. */
import { GREASE_FIRST, GREASE_STEP, SETTINGS } from "../codec/registry.ts";
import type { Setting } from "../codec/session-messages.ts";
import { ErrorCode, SessionError } from "./errors.ts";

type Name = keyof typeof SETTINGS;

/** Values by the names of the registry, which says what each means. */
export type Settings = Record<Name, number>;

/** Content codings that the sender of a HELLO decodes. */
export const Encoding = { GZIP: 1, DEFLATE: 2 } as const;

const NAMES = Object.keys(SETTINGS) as Name[];

/** What holds until a HELLO says otherwise. */
export const DEFAULT_SETTINGS = Object.fromEntries(NAMES.map((name) => [name, SETTINGS[name].default])) as Settings;

/** Reads a HELLO's settings; unknown ids are ignored, values out of range end the session (SES-008). */
export function readSettings(settings: readonly Setting[]): Settings {
  const result = { ...DEFAULT_SETTINGS };
  for (const { id, value } of settings) {
    const name = NAMES.find((one) => SETTINGS[one].id === id);
    if (!name) continue;
    const { min, max } = SETTINGS[name];
    if (value < min || value > max) throw new SessionError(ErrorCode.PROTOCOL, `setting ${id} is out of range: ${value}`);
    result[name] = value;
  }
  return result;
}

/** The settings that differ from the defaults, as a HELLO carries them. */
export function writeSettings(settings: Settings): Setting[] {
  return NAMES.filter((name) => settings[name] !== DEFAULT_SETTINGS[name]).map((name) => ({ id: SETTINGS[name].id, value: settings[name] }));
}

/** Settings and frame types of this form stand for nothing, and are sent to see them skipped (SES-091). */
export function greaseId(n: number): number {
  return GREASE_STEP * n + GREASE_FIRST;
}
