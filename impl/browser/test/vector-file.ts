/** The files of conformance/vectors; tests run from the package, next to the kit that makes them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

export interface Case<I> {
  id: string;
  comment: string;
  input: I;
  result: "valid" | "invalid" | "acceptable";
  flags: string[];
  req: string[];
  [key: string]: unknown;
}

interface Group {
  type: string;
  cases: Case<never>[];
}

/** Plays a case; says why where it was not played to its end. */
type Check = (one: Case<never>) => void | string | Promise<void | string>;

/** How many cases of a type of group are not played to their end, by the reason that their check gives. */
export type Unplayed = Readonly<Record<string, Readonly<Record<string, number>>>>;

/**
 * Runs every case of a file: `checks` has a function for each type of group, or why this client has
 * nothing to do with it. A type that is not named fails, so does a case that gets lost, and so do
 * more or fewer cases than `unplayed` says that are not played to their end.
 */
export function testVectors(file: string, checks: Readonly<Record<string, Check | string>>, unplayed: Unplayed = {}): void {
  const { count, groups } = JSON.parse(readFileSync(join(process.cwd(), "../../conformance/vectors", `${file}.json`), "utf8")) as { count: number; groups: Group[] };
  test(`vectors of ${file}`, async (t) => {
    let seen = 0;
    for (const { type, cases } of groups) {
      const check = checks[type];
      assert.ok(check !== undefined, `${file} has groups of type ${type}: say in the test what becomes of them`);
      seen += cases.length;
      if (typeof check === "string") {
        t.diagnostic(`${type}: ${cases.length} left to others: ${check}`);
        continue;
      }
      await t.test(`${type}, ${cases.length} cases`, async () => {
        assert.ok(cases.length > 0);
        const wrong: string[] = [];
        const left: Record<string, number> = {};
        for (const one of cases) {
          try {
            const why = await check(one);
            if (why !== undefined) left[why] = (left[why] ?? 0) + 1;
          } catch (error) {
            wrong.push(`${one.id} (${one.comment}): ${error instanceof Error ? error.message : String(error)}`);
          }
        }
        assert.equal(wrong.length, 0, `${wrong.length} cases went wrong:\n${wrong.slice(0, 40).join("\n")}`);
        assert.deepEqual(left, unplayed[type] ?? {}, `${type}: cases that are not played to their end`);
      });
    }
    assert.equal(seen, count, "no case is lost");
    const types = groups.map(({ type }) => type);
    assert.deepEqual([...Object.keys(checks), ...Object.keys(unplayed)].filter((type) => !types.includes(type)), [], "groups that are not there");
  });
}

export const fromHex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Bytes that are written as `hex`, with a piece behind it that repeats. */
export function fromPieces({ hex, then }: { hex: string; then?: { hex: string; times: number } | undefined }): Uint8Array<ArrayBuffer> {
  return fromHex(hex + (then?.hex ?? "").repeat(then?.times ?? 0));
}
