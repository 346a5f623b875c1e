/** Names that no app may have. */
import { RESERVED_NAMES } from "../codec/registry.ts";

export const RESERVED: ReadonlySet<string> = new Set(RESERVED_NAMES);
