// Runs test/*.test.mjs with node's own runner, each file in a process of its own; those that look at
// times, *.alone.test.mjs, after the others and one by one.
//
//   node run.mjs [--browser chromium|firefox] [--rtc str0m|webrtc] [--jobs N] [--report FILE] [words]
//
// --rtc chooses the WebRTC stack of the agent; --jobs says how many files run at a time; --report
// writes the outcomes as JUnit's XML, for scripts/tables (of the last ones to FILE-alone.xml); words
// choose files by name.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    browser: { type: "string", default: "chromium" },
    rtc: { type: "string", default: "" },
    report: { type: "string" },
    jobs: { type: "string", default: "1" },
  },
});
for (const [option, allowed] of [["browser", ["chromium", "firefox"]], ["rtc", ["", "str0m", "webrtc"]]]) {
  if (!allowed.includes(values[option])) throw new Error(`--${option} is one of ${allowed.filter(Boolean).join(", ")}`);
}
const files = readdirSync(join(root, "test"))
  .filter((name) => name.endsWith(".test.mjs"))
  .filter((name) => positionals.length === 0 || positionals.some((word) => name.includes(word)))
  .map((name) => join(root, "test", name));
if (files.length === 0) throw new Error(`no test file has any of ${positionals.join(", ")} in its name`);
const alone = (file) => file.endsWith(".alone.test.mjs");
const env = { ...process.env, P2CLAW_BROWSER: values.browser, P2CLAW_RTC: values.rtc };

/** Runs these files, `jobs` at a time. Returns the status of node's runner. */
function run(files, jobs, report) {
  if (files.length === 0) return 0;
  // The time limit holds for files as well; scenarios have their own.
  const flags = ["--test", `--test-concurrency=${jobs}`, "--test-timeout=600000"];
  flags.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  if (report) {
    mkdirSync(dirname(report), { recursive: true });
    flags.push("--test-reporter=junit", `--test-reporter-destination=${report}`);
  }
  return spawnSync(process.execPath, [...flags, ...files], { stdio: "inherit", env }).status ?? 1;
}

const statuses = [
  run(files.filter((file) => !alone(file)), values.jobs, values.report),
  run(files.filter(alone), 1, values.report?.replace(/(\.xml)?$/, "-alone.xml")),
];
process.exitCode = Math.max(...statuses);
