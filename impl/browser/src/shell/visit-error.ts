/** Why a visit did not become a session. */
export class VisitError extends Error {
  override name = "VisitError";
  /** A `SignalCode` name, a `Refusal`, or one of the shell's own (see explanations.ts). */
  readonly code: string;
  /** The agent's answer failed a check: nothing is tried again by itself. */
  readonly refused: boolean;
  /** For people: what was compared with what. */
  readonly facts: readonly [label: string, value: string][];
  constructor(code: string, reason: string, options: { refused?: boolean; facts?: readonly [string, string][] } = {}) {
    super(reason);
    this.code = code;
    this.refused = options.refused ?? false;
    this.facts = options.facts ?? [];
  }
}
