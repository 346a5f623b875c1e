// Runs test/*.test.mjs with node's own runner, one file after another. Words on the command line
// choose files by name.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, "test"))
  .filter((name) => name.endsWith(".test.mjs"))
  .filter((name) => wanted.length === 0 || wanted.some((word) => name.includes(word)))
  .map((name) => join(root, "test", name));
if (files.length === 0) throw new Error(`no test file has any of ${wanted.join(", ")} in its name`);
const flags = ["--test", "--test-concurrency=1", "--test-timeout=240000", "--test-reporter=spec"];
const run = spawnSync(process.execPath, [...flags, ...files], { stdio: "inherit" });
process.exitCode = run.status ?? 1;
