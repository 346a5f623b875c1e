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

type Check = (one: Case<never>) => void | "left out" | Promise<void | "left out">;

/**
 * Runs every case of a file: `checks` has a function for each type of group, or why this client has
 * nothing to do with it. A type that is not named fails, and so does a case that gets lost.
 */
export function testVectors(file: string, checks: Readonly<Record<string, Check | string>>): void {
  const { count, groups } = JSON.parse(readFileSync(join(process.cwd(), "../../conformance/vectors", `${file}.json`), "utf8")) as { count: number; groups: Group[] };
  test(`vectors of ${file}`, async (t) => {
    let ran = 0;
    for (const { type, cases } of groups) {
      const check = checks[type];
      assert.ok(check !== undefined, `${file} has groups of type ${type}: say in the test what becomes of them`);
      if (typeof check === "string") {
        ran += cases.length;
        t.diagnostic(`${type}: ${cases.length} left to others: ${check}`);
        continue;
      }
      let left = 0;
      await t.test(`${type}, ${cases.length} cases`, async () => {
        assert.ok(cases.length > 0);
        const wrong: string[] = [];
        for (const one of cases) {
          ran += 1;
          try {
            if ((await check(one)) === "left out") left += 1;
          } catch (error) {
            wrong.push(`${one.id} (${one.comment}): ${error instanceof Error ? error.message : String(error)}`);
          }
        }
        assert.equal(wrong.length, 0, `${wrong.length} cases went wrong:\n${wrong.slice(0, 40).join("\n")}`);
      });
      if (left > 0) t.diagnostic(`${type}: ${left} of ${cases.length} left out, for this client has no such call`);
    }
    assert.equal(ran, count, "every case was run");
  });
}

export const fromHex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Bytes that are written as `hex`, with a piece behind it that repeats. */
export function fromPieces({ hex, then }: { hex: string; then?: { hex: string; times: number } | undefined }): Uint8Array<ArrayBuffer> {
  return fromHex(hex + (then?.hex ?? "").repeat(then?.times ?? 0));
}
