// Runs test/*.test.mjs with node's own runner, each file in a process of its own.
//
//   node run.mjs [--browser chromium|firefox] [--rtc str0m|webrtc] [--jobs N] [--report FILE] [words]
//
// --rtc chooses the WebRTC stack of the agent; --jobs says how many files run at a time; --report
// writes the outcomes as JUnit's XML, for scripts/tables; words choose files by name.
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
// The time limit holds for files as well; scenarios have their own.
const flags = ["--test", `--test-concurrency=${values.jobs}`, "--test-timeout=600000"];
flags.push("--test-reporter=spec", "--test-reporter-destination=stdout");
if (values.report) {
  mkdirSync(dirname(values.report), { recursive: true });
  flags.push("--test-reporter=junit", `--test-reporter-destination=${values.report}`);
}
const env = { ...process.env, P2CLAW_BROWSER: values.browser, P2CLAW_RTC: values.rtc };
const run = spawnSync(process.execPath, [...flags, ...files], { stdio: "inherit", env });
process.exitCode = run.status ?? 1;
