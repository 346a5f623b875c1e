// Child processes: started with a home of their own, ended by their process id.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { binary, temporary } from "./place.mjs";
import { within } from "./poll.mjs";

/** Lines of output kept for the report of a failure. */
const KEPT_LINES = 400;
const STOP_MS = 8_000;

const running = new Set();
// Before the removal of their directories, which place.mjs has arranged for already.
process.prependListener("exit", () => {
  for (const program of running) program.child.kill("SIGKILL");
});

/** What the running programs said last, for the report of a failure. */
export function lastWords() {
  return [...running].map((program) => `--- ${program.name} (pid ${program.child.pid})\n${program.log.slice(-60).join("\n")}`).join("\n");
}

export class Program {
  /** Everything it wrote, stdout and stderr, in lines. */
  log = [];
  #listeners = new Set();

  constructor(name, file, args, { cwd, env = {} } = {}) {
    this.name = name;
    const { PATH, P2CLAW_LOG } = process.env;
    this.child = spawn(file, args, {
      cwd,
      env: { PATH, RUST_BACKTRACE: "1", NO_COLOR: "1", ...(P2CLAW_LOG && { P2CLAW_LOG }), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this);
    this.ended = once(this.child, "close").then(([code, signal]) => {
      running.delete(this);
      return { code, signal };
    });
    for (const stream of ["stdout", "stderr"]) {
      createInterface({ input: this.child[stream] }).on("line", (line) => {
        this.log.push(line);
        if (this.log.length > KEPT_LINES) this.log.shift();
        for (const listener of this.#listeners) listener(stream, line);
      });
    }
  }

  /** The first line of stdout or stderr for which `pick` returns something true: that something. */
  line(what, pick, timeout = 20_000) {
    let listener;
    const found = new Promise((resolve) => {
      listener = (stream, line) => {
        const value = pick(line, stream);
        if (value) resolve(value);
      };
      this.#listeners.add(listener);
    });
    const gone = this.ended.then(({ code, signal }) => {
      throw new Error(`${this.name} ended (${signal ?? `code ${code}`}) before ${what}:\n${this.log.slice(-20).join("\n")}`);
    });
    gone.catch(() => {});
    return within(`${this.name}: ${what}`, timeout, Promise.race([found, gone])).finally(() => this.#listeners.delete(listener));
  }

  signal(name) {
    this.child.kill(name);
  }

  /** Ends it as Ctrl-C would, with force if need be. */
  async stop(signal = "SIGINT") {
    this.signal(signal);
    try {
      return await within(`${this.name}: the end`, STOP_MS, this.ended);
    } catch {
      this.signal("SIGKILL");
      return { ...(await this.ended), forced: true };
    }
  }

  /** Ends it as a crash would. */
  async crash() {
    this.signal("SIGKILL");
    await this.ended;
  }
}

/** The environment of a p2claw process whose state lives under `home`. */
function homeEnvironment(home) {
  return { HOME: home, P2CLAW_STATE_DIR: `${home}/state` };
}

/** Starts a long-running `p2claw` command. */
export function start(name, args, home = temporary(name)) {
  return new Program(name, binary(), args, { cwd: home, env: homeEnvironment(home) });
}

/** Runs a short `p2claw` command to its end. */
export async function command(args, home) {
  const child = spawn(binary(), args, {
    cwd: home,
    env: { PATH: process.env.PATH, NO_COLOR: "1", ...homeEnvironment(home) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) {
    child[stream].setEncoding("utf8").on("data", (text) => (output[stream] += text));
  }
  try {
    const [code] = await within(`p2claw ${args.join(" ")}`, 20_000, once(child, "close"));
    return { code, ...output };
  } finally {
    child.kill("SIGKILL");
  }
}

/** Runs a short `p2claw` command that must succeed, and returns its JSON. */
export async function commandJson(args, home) {
  const { code, stdout, stderr } = await command([...args, "--json"], home);
  if (code !== 0) throw new Error(`p2claw ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout);
}
